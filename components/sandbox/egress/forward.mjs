// @ts-check
// Runs in a sandbox's network namespace, which has no other interface than loopback. Connects a port of loopback to the
// egress proxy's Unix socket. It is plain JavaScript, because no other file of this project exists there.
//
// Arguments: the socket, the proxy's port, then each `host:port` that is reachable at its own port.
import { connect, createServer } from "node:net";

const [socket = "", port = "", ...targets] = process.argv.slice(2);

/**
 * @param {number} listenPort
 * @param {string | undefined} target
 * @returns {Promise<void>}
 */
function forward(listenPort, target) {
  // A client may end its direction first, and then read the answer.
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const proxy = connect(socket);
    client.once("error", () => proxy.destroy());
    // After what a slow client has not read yet.
    proxy.on("error", () => {}).once("close", () => client.destroySoon());
    client.once("close", () => proxy.destroy());
    if (target === undefined) {
      client.pipe(proxy).pipe(client);
      return;
    }
    client.pause();
    proxy.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
    let head = Buffer.alloc(0);
    proxy.on("data", function onHead(data) {
      head = Buffer.concat([head, data]);
      const end = head.indexOf("\r\n\r\n");
      if (end === -1) return;
      proxy.off("data", onHead);
      if (!head.subarray(0, end).toString("latin1").startsWith("HTTP/1.1 200")) {
        client.destroy();
        return;
      }
      client.write(head.subarray(end + 4));
      client.pipe(proxy).pipe(client);
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject).listen(listenPort, "127.0.0.1", () => resolve());
  });
}

await forward(Number(port), undefined);
for (const target of targets) await forward(Number(target.slice(target.lastIndexOf(":") + 1)), target);
process.stdout.write("ready\n");
