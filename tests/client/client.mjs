// Espressif's JavaScript client against the simulated board: a second opinion on whether the
// board speaks the boot loaders' protocol.
//
//   ESPTOOL_JS_DIR=FOLDER node client.mjs ESPBOARD [CHIP...]
//
// FOLDER holds node_modules/esptool-js and what that needs. Prints `ok NAME` or
// `not ok NAME REASON` for each case; the exit status is 1 if one failed, 2 if none could run.
import crypto from "node:crypto";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { BoardProcess } from "./board_process.mjs";
import { SocketPort } from "./socket_port.mjs";

const FLASH_SIZE = 1 << 20;
const CHIPS = {
  esp8266: { name: "ESP8266", mac: "18:fe:34:00:00:00" },
  esp32: { name: "ESP32", mac: "24:0a:c4:00:01:10" },
  esp32s2: { name: "ESP32-S2", mac: "7c:df:a1:02:15:2a" },
  esp32s3: { name: "ESP32-S3", mac: "f4:12:fa:4e:07:b8" },
  esp32c2: { name: "ESP32-C2", mac: "08:3a:8d:49:b3:5c" },
  esp32c3: { name: "ESP32-C3", mac: "60:55:f9:24:0a:c4" },
  esp32c5: { name: "ESP32-C5", mac: "d0:cf:13:61:0e:94" },
  esp32c6: { name: "ESP32-C6", mac: "40:4c:ca:51:2f:60" },
  esp32c61: { name: "ESP32-C61", mac: "98:a3:16:7d:40:1c" },
  esp32h2: { name: "ESP32-H2", mac: "60:55:f9:f7:2c:a2" },
  esp32p4: { name: "ESP32-P4", mac: "30:ed:a0:e0:83:16" },
  "esp32p4-v3.0": { name: "ESP32-P4", mac: "30:ed:a0:e0:83:16", variant_of: "esp32p4" },
};

function md5(bytes) {
  return crypto.createHash("md5").update(bytes).digest("hex");
}

function expect(condition, what) {
  if (!condition) {
    throw new Error(what);
  }
}

function expectSame(got, wanted, what) {
  expect(Buffer.compare(Buffer.from(got), Buffer.from(wanted)) === 0, `${what} differs`);
}

// Half of it random, half of it one repeated byte, so that it packs in part.
function image(len) {
  const bytes = crypto.randomBytes(len);
  bytes.fill(0x5a, len / 2);
  return new Uint8Array(bytes);
}

async function write(loader, address, data, compress) {
  await loader.writeFlash({
    fileArray: [{ data, address }],
    flashMode: "keep",
    flashFreq: "keep",
    flashSize: "keep",
    eraseAll: false,
    compress,
    calculateMD5Hash: md5,
  });
}

const CASES = {
  async identify({ loader, chip }) {
    expect(loader.chip.CHIP_NAME === chip.name, `chip ${loader.chip.CHIP_NAME}`);
    const mac = await loader.chip.readMac(loader);
    expect(mac.toLowerCase() === chip.mac, `MAC ${mac}`);
    const id = await loader.readFlashId();
    expect(id === 0x1440c8, `flash id ${id.toString(16)}`);
  },

  async read({ loader, board }) {
    const got = await loader.readFlash(0x1000, 20001);
    expectSame(got, board.flash().subarray(0x1000, 0x1000 + 20001), "what was read");
  },

  async "write compressed"({ loader, board }) {
    const data = image(70000);
    await write(loader, 0x10000, data, true);
    expectSame(board.flash().subarray(0x10000, 0x10000 + data.length), data, "the flash");
  },

  async "write plain"({ loader, board }) {
    const data = image(40000);
    await write(loader, 0x40000, data, false);
    expectSame(board.flash().subarray(0x40000, 0x40000 + data.length), data, "the flash");
  },

  async md5({ loader, board }) {
    const sum = await loader.flashMd5sum(0x3001, 50000);
    expect(sum === md5(board.flash().subarray(0x3001, 0x3001 + 50000)), `digest ${sum}`);
  },

  async erase({ loader, board }) {
    await loader.eraseFlash();
    expect(board.flash().every((byte) => byte === 0xff), "the flash is not blank");
  },

  async "nothing refused"({ board }) {
    const rejects = board.rejects();
    expect(rejects.length === 0, rejects.join("; "));
  },
};

async function runChip(esptool, program, option) {
  let failed = 0;
  const base = CHIPS[option].variant_of;
  const contents = crypto.randomBytes(FLASH_SIZE);
  const options = base ? ["--variant", option] : [];
  const board = await BoardProcess.start(program, base ?? option, contents, options);
  const transport = new esptool.Transport(new SocketPort(board.port));
  transport.trace = () => {};
  const terminal = { clean() {}, writeLine() {}, write() {} };
  const loader = new esptool.ESPLoader({ transport, terminal, baudrate: 921600 });
  try {
    await loader.main("no_reset");
    for (const [name, run] of Object.entries(CASES)) {
      try {
        await run({ loader, board, chip: CHIPS[option] });
        console.log(`ok ${option} ${name}`);
      } catch (error) {
        failed++;
        console.log(`not ok ${option} ${name} ${error.message}`);
      }
    }
  } catch (error) {
    failed++;
    console.log(`not ok ${option} connect ${error.message}`);
  } finally {
    await transport.disconnect().catch(() => {});
    await board.stop();
  }
  return failed;
}

async function main() {
  const [program, ...chips] = process.argv.slice(2);
  const folder = process.env.ESPTOOL_JS_DIR;
  if (!program || !folder) {
    console.error("usage: ESPTOOL_JS_DIR=FOLDER node client.mjs ESPBOARD [CHIP...]");
    return 2;
  }
  const library = path.resolve(folder, "node_modules/esptool-js/lib/index.js");
  const esptool = await import(pathToFileURL(library).href);
  let failed = 0;
  for (const option of chips.length > 0 ? chips : Object.keys(CHIPS)) {
    try {
      failed += await runChip(esptool, path.resolve(program), option);
    } catch (error) {
      failed++;
      console.log(`not ok ${option} board ${error.message}`);
    }
  }
  return failed > 0 ? 1 : 0;
}

process.exitCode = await main();
