// Espressif's JavaScript client doing one whole-flash job, for comparison:
//   node peer.mjs PORT BAUD read|read_rom|write BYTES FILE
// with ESPTOOL_JS_DIR=FOLDER that has its node_modules, and BOARD_PID and COUNTERS of the board,
// whose counters are marked (COUNTERS.mark) when the client is connected. read_rom is without a
// stub: the client has no such job, so it is one READ_FLASH_SLOW after the other through its own
// command(), as esptool does it.
// Prints the seconds that connecting took (its stub's upload included) and those of the job.
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { SocketPort } from "../client/socket_port.mjs";

const MARK_DEADLINE_MS = 10000;
const SLOW_PIECE = 64;
const SPI_SET_PARAMS = 0x0b;
const SPI_ATTACH = 0x0d;
const READ_FLASH_SLOW = 0x0e;

const [port, baud, job, bytes, file] = process.argv.slice(2);
const size = Number(bytes);
const library = path.resolve(process.env.ESPTOOL_JS_DIR, "node_modules/esptool-js/lib/index.js");
const esptool = await import(pathToFileURL(library).href);
const transport = new esptool.Transport(new SocketPort(Number(port)));
transport.trace = () => {};
const terminal = { clean() {}, writeLine() {}, write() {} };
const loader = new esptool.ESPLoader({ transport, terminal, baudrate: Number(baud) });

function md5(bytes) {
  return crypto.createHash("md5").update(bytes).digest("hex");
}

// The board writes its counters down when it gets the signal.
async function markCounters() {
  const { BOARD_PID, COUNTERS } = process.env;
  fs.rmSync(COUNTERS, { force: true });
  process.kill(Number(BOARD_PID), "SIGUSR1");
  const start = performance.now();
  while (!fs.existsSync(COUNTERS)) {
    if (performance.now() - start > MARK_DEADLINE_MS) throw new Error("the board did not count");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  fs.renameSync(COUNTERS, `${COUNTERS}.mark`);
}

function words(...values) {
  const out = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => out.writeUInt32LE(value, 4 * i));
  return new Uint8Array(out);
}

async function connectRom() {
  await loader.detectChip("no_reset");
  await loader.changeBaud();
  await loader.checkCommand("attach", SPI_ATTACH, words(0, 0));
  await loader.checkCommand("geometry", SPI_SET_PARAMS, words(0, size, 65536, 4096, 256, 0xffff));
}

async function readRom() {
  const flash = new Uint8Array(size);
  for (let at = 0; at < size; at += SLOW_PIECE) {
    const request = words(at, SLOW_PIECE);
    flash.set(await loader.checkCommand("read", READ_FLASH_SLOW, request, 0, SLOW_PIECE), at);
  }
  fs.writeFileSync(file, flash);
}

async function read() {
  fs.writeFileSync(file, await loader.readFlash(0, size));
}

async function write() {
  await loader.writeFlash({
    fileArray: [{ data: new Uint8Array(fs.readFileSync(file)), address: 0 }],
    flashMode: "keep",
    flashFreq: "keep",
    flashSize: "keep",
    eraseAll: false,
    compress: true,
    calculateMD5Hash: md5,
  });
}

const start = performance.now();
await (job === "read_rom" ? connectRom() : loader.main("no_reset"));
const connected = performance.now();
await markCounters();
const begun = performance.now();
await { read, read_rom: readRom, write }[job]();
const done = performance.now();
await transport.disconnect().catch(() => {});
console.log(((connected - start) / 1000).toFixed(2), ((done - begun) / 1000).toFixed(2));
