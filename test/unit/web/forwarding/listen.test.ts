import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { createServer, request } from "node:http";
import { connect, createServer as createNetServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { listen } from "../../../../components/web/forwarding/program/listen.ts";

const hasIPv6 = (networkInterfaces()["lo"] ?? networkInterfaces()["lo0"] ?? []).some(
  ({ address }) => address === "::1",
);

function answerOf(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, agent: false }, (response) => {
      response.setEncoding("utf8").once("data", resolve);
    });
    asked.once("error", reject).end();
  });
}

describe.skipIf(!hasIPv6)("both addresses of localhost (this machine has no IPv6 loopback)", () => {
  it("responds on both, and on neither after it is closed", async () => {
    const server = createServer((_request, response) => response.end("ours"));
    const { port, close } = await listen(server, { host: "127.0.0.1", port: 0 });
    expect(await Promise.all(["127.0.0.1", "::1"].map((host) => answerOf(host, port)))).toEqual(["ours", "ours"]);
    close();
    await new Promise((resolve) => server.close(resolve));
    for (const host of ["127.0.0.1", "::1"]) await expect(answerOf(host, port)).rejects.toThrow("ECONNREFUSED");
  });

  it("lets each side of a WebSocket end by itself, on both", async () => {
    const server = createServer();
    server.on("upgrade", (_request, socket) => socket.resume().once("end", () => setTimeout(() => socket.end("ours"))));
    const { port, close } = await listen(server, { host: "127.0.0.1", port: 0 });
    for (const host of ["127.0.0.1", "::1"]) {
      const socket = connect({ host, port, allowHalfOpen: true });
      socket.end("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
      expect([host, await text(socket)]).toEqual([host, "ours"]);
    }
    close();
    server.close();
  });

  it("passes on an error of the second one, which would end the program otherwise", async () => {
    const listening: Server[] = [];
    const note = (message: unknown) => listening.push((message as { server: Server }).server);
    subscribe("tracing:net.server.listen:asyncEnd", note);
    const server = createServer();
    const { close } = await listen(server, { host: "127.0.0.1", port: 0 });
    unsubscribe("tracing:net.server.listen:asyncEnd", note);
    const errors: unknown[] = [];
    server.on("error", (error) => errors.push(error));
    const [, second] = listening;
    const error = new Error("accept ENFILE");
    second?.emit("error", error);
    expect(errors).toEqual([error]);
    close();
    server.close();
  });

  it("does not start if another program uses the second one, and releases the first", async () => {
    const other = createNetServer();
    const port = await new Promise<number>((resolve) => {
      other.listen({ host: "::1", port: 0 }, () => {
        const address = other.address();
        resolve(address !== null && typeof address === "object" ? address.port : 0);
      });
    });
    const server = createServer();
    await expect(listen(server, { host: "127.0.0.1", port })).rejects.toThrow(
      `port ${port} of ::1 is in use by another program; end that program, or set another \`port\``,
    );
    expect(server.listening).toBe(false);
    other.close();
  });
});
