// The least time that a write can take, from what the flash holds and what it is to hold:
//   node limit.mjs BEFORE IMAGE BAUD
// Prints the seconds, and what they are made of: bytes on the wire, erase commands, sectors erased,
// pages programmed. Wire and flash work at once, so the longer of the two counts.
import fs from "node:fs";
import zlib from "node:zlib";

const PAGE = 256;
const SECTOR = 4096;
const BLOCK = 65536;
const BITS_A_BYTE = 10;
// W25Q32JV, typical, as the simulated board has them.
const SECTOR_ERASE_S = 0.045;
const BLOCK_ERASE_S = 0.15;
const PAGE_PROGRAM_S = 0.0004;

const [beforePath, imagePath, baud] = process.argv.slice(2);
const before = fs.readFileSync(beforePath);
const image = fs.readFileSync(imagePath);

function blank(bytes) {
  return bytes.every((byte) => byte === 0xff);
}

// Programming takes bits from 1 to 0 only.
function needsErase(old, wanted) {
  return wanted.some((byte, i) => (byte & old[i]) !== byte);
}

function pagesToProgram(old, wanted, erased) {
  let pages = 0;
  for (let at = 0; at < wanted.length; at += PAGE) {
    const page = wanted.subarray(at, at + PAGE);
    if (erased ? !blank(page) : !page.equals(old.subarray(at, at + PAGE))) pages++;
  }
  return pages;
}

const data = [];
const erases = [];
let pages = 0;
for (let at = 0; at < image.length; at += SECTOR) {
  const old = before.subarray(at, at + SECTOR);
  const wanted = image.subarray(at, at + SECTOR);
  if (wanted.equals(old)) continue;
  const erase = needsErase(old, wanted);
  if (erase) erases.push(at);
  pages += pagesToProgram(old, wanted, erase);
  if (!blank(wanted)) data.push(wanted);
}

let blocks = 0;
for (const at of erases) {
  if (at % BLOCK === 0 && erases.filter((e) => e >= at && e < at + BLOCK).length === BLOCK / SECTOR)
    blocks++;
}
const single = erases.length - (blocks * BLOCK) / SECTOR;
const bytes = data.length > 0 ? zlib.deflateSync(Buffer.concat(data), { level: 9 }).length : 0;
const wire = (bytes * BITS_A_BYTE) / Number(baud);
const flash = blocks * BLOCK_ERASE_S + single * SECTOR_ERASE_S + pages * PAGE_PROGRAM_S;
console.log(Math.max(wire, flash).toFixed(3), bytes, blocks + single, erases.length, pages);
