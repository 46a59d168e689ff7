// An espboard in a folder of its own, that listens on a free port until it is stopped.
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const READY_MS = 5000;

export class BoardProcess {
  // `flash`: what its flash holds at the start.
  static async start(program, chip, flash, options = []) {
    const board = new BoardProcess();
    board.folder = fs.mkdtempSync(path.join(os.tmpdir(), "espboard-"));
    board.flashPath = path.join(board.folder, "flash.bin");
    board.logPath = path.join(board.folder, "log");
    fs.writeFileSync(board.flashPath, flash);
    const args = ["--chip", chip, "--flash", board.flashPath, "--size", String(flash.length)];
    args.push("--listen", "socket:0", "--log", board.logPath, ...options);
    board.process = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    board.exited = new Promise((resolve) => board.process.once("exit", resolve));
    board.port = await board.#ready();
    return board;
  }

  #ready() {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the board is not ready")), READY_MS);
      let said = "";
      this.process.once("error", reject);
      this.process.once("exit", () => reject(new Error("the board ended at once")));
      this.process.stdout.on("data", (chunk) => {
        said += chunk;
        const found = said.match(/listening on 127\.0\.0\.1:(\d+)/);
        if (found) {
          clearTimeout(timer);
          resolve(Number(found[1]));
        }
      });
    });
  }

  flash() {
    return fs.readFileSync(this.flashPath);
  }

  rejects() {
    const lines = fs.readFileSync(this.logPath, "utf8").split("\n");
    return lines.filter((line) => line.startsWith("REJECT"));
  }

  async stop() {
    this.process.kill("SIGTERM");
    await this.exited;
    fs.rmSync(this.folder, { recursive: true });
  }
}
