/**
 * Runs in the container through `docker exec`, with the server's folder as its argument: passes stdin to the admin
 * socket and prints the response. With `hand-over` it does not wait for one. Exits with `relayNotRunning` if no server
 * listens.
 */
import { connect } from "node:net";
import { adminSocketPath, isAbsent } from "../admin-protocol.ts";
import { relayNotRunning } from "./names.ts";

const [folder = "", mode] = process.argv.slice(2);
const socket = connect({ path: adminSocketPath(folder), allowHalfOpen: true });
socket.once("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(isAbsent(error) ? relayNotRunning : 1);
});
socket.once("connect", () => {
  process.stdin.pipe(socket);
  if (mode === "hand-over") socket.once("finish", () => process.exit(0));
  else socket.pipe(process.stdout);
});
