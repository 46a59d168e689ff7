// A TCP socket in the shape of the Web Serial port that esptool-js's Transport is made for.
// A socket has no modem lines and no baud: setting them does nothing.
import net from "node:net";

export class SocketPort {
  constructor(port) {
    this.port = port;
    this.readable = null;
    this.writable = null;
  }

  getInfo() {
    return {};
  }

  async open() {
    const socket = net.connect(this.port, "127.0.0.1");
    socket.setNoDelay(true);
    await new Promise((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    this.socket = socket;
    this.readable = new ReadableStream({
      start(controller) {
        socket.on("data", (chunk) => controller.enqueue(new Uint8Array(chunk)));
        socket.on("end", () => controller.close());
        socket.on("error", (error) => controller.error(error));
      },
      cancel() {
        socket.removeAllListeners("data");
        socket.removeAllListeners("end");
      },
    });
    this.writable = new WritableStream({
      write(bytes) {
        return new Promise((resolve, reject) => {
          socket.write(bytes, (error) => (error ? reject(error) : resolve()));
        });
      },
    });
  }

  async setBaudRate() {}

  async setSignals() {}

  async close() {
    this.readable = null;
    this.writable = null;
    await new Promise((resolve) => {
      this.socket.once("close", resolve);
      this.socket.destroy();
    });
  }
}
