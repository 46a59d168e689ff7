// Espressif's JavaScript client doing one whole-flash job, for comparison:
//   ESPTOOL_JS_DIR=FOLDER node peer.mjs PORT BAUD read BYTES FILE
//   ESPTOOL_JS_DIR=FOLDER node peer.mjs PORT BAUD write FILE
// Prints the seconds that connecting took (its stub's upload included) and those of the job.
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { SocketPort } from "../client/socket_port.mjs";

const [port, baud, job, ...args] = process.argv.slice(2);
const library = path.resolve(process.env.ESPTOOL_JS_DIR, "node_modules/esptool-js/lib/index.js");
const esptool = await import(pathToFileURL(library).href);
const transport = new esptool.Transport(new SocketPort(Number(port)));
transport.trace = () => {};
const terminal = { clean() {}, writeLine() {}, write() {} };
const loader = new esptool.ESPLoader({ transport, terminal, baudrate: Number(baud) });

function md5(bytes) {
  return crypto.createHash("md5").update(bytes).digest("hex");
}

async function read(size, file) {
  fs.writeFileSync(file, await loader.readFlash(0, Number(size)));
}

async function write(file) {
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
await loader.main("no_reset");
const connected = performance.now();
await { read, write }[job](...args);
const done = performance.now();
await transport.disconnect().catch(() => {});
console.log(((connected - start) / 1000).toFixed(2), ((done - connected) / 1000).toFixed(2));
