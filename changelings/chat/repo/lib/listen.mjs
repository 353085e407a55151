// @ts-check
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** In bytes: some systems reject a longer socket path. */
const LONGEST_SOCKET_PATH = 103;

/**
 * Without a port, listens on a Unix socket in a folder that only this user can enter. The forwarding server controls
 * access, and with a port every user of this machine could bypass it.
 *
 * @param {import("node:http").Server} server
 * @param {{ port: number | undefined, stateDir: string | undefined }} config
 * @returns {Promise<{ url: string, close: () => void }>} where it listens
 */
export async function listen(server, { port, stateDir }) {
  if (port !== undefined || stateDir === undefined) {
    server.listen(port ?? 0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the server has no port");
    return { url: `http://127.0.0.1:${address.port}`, close: () => {} };
  }
  const path = socketPath(stateDir);
  // An earlier server ended without removing its socket.
  rmSync(path, { force: true });
  server.listen(path);
  await once(server, "listening");
  return { url: `unix:${path}`, close: () => rmSync(dirname(path), { recursive: true, force: true }) };
}

/** @param {string} stateDir */
function socketPath(stateDir) {
  const own = join(stateDir, "web");
  if (Buffer.byteLength(join(own, "socket")) > LONGEST_SOCKET_PATH) {
    return join(mkdtempSync(join(tmpdir(), "chat-")), "socket");
  }
  mkdirSync(own, { recursive: true });
  chmodSync(own, 0o700);
  return join(own, "socket");
}

/**
 * Creates a secret that the forwarding server reads from mngr's folder for this agent, and sends with every request.
 * @param {string} stateDir
 */
export function newSecret(stateDir) {
  const secret = randomBytes(32).toString("base64url");
  const file = join(stateDir, "forwarding-secret");
  // An existing file would keep its mode.
  rmSync(file, { force: true });
  writeFileSync(file, secret, { mode: 0o600, flag: "wx" });
  return secret;
}
