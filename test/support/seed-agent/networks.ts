import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Why network namespaces can't be made here; undefined if they can. */
export function noNetworks(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "network namespaces need Linux and root";
  const name = `seed-probe-${randomBytes(3).toString("hex")}`;
  try {
    ip("netns", "add", name);
    ip("-n", name, "link", "add", "v0", "type", "veth", "peer", "name", "v1");
    return undefined;
  } catch (error) {
    return `network namespaces can't be made: ${error instanceof Error ? error.message : error}`;
  } finally {
    try {
      ip("netns", "delete", name);
    } catch {
      // It was not made.
    }
  }
}

export interface Networks {
  /** The node's address. */
  readonly host: (name: string) => string;
  /** The command that runs another one in the node's namespace. */
  readonly within: (name: string) => readonly string[];
  /** The database's URL, as the nodes reach it. */
  readonly databaseUrl: string;
  /** No packet reaches the node any more, and it gets no error. */
  cut(name: string): void;
  heal(name: string): void;
  /** The two don't reach each other, but everything else. */
  cutBetween(one: string, other: string): void;
  close(): Promise<void>;
}

/**
 * A network namespace for each node, on a bridge in one more. The machine's own network is not touched: the database on
 * its loopback is reached by way of a Unix socket, which namespaces share.
 */
export async function networks(names: readonly string[], databaseUrl: string): Promise<Networks> {
  const id = randomBytes(3).toString("hex");
  const hub = `seed-${id}-hub`;
  const space = (name: string) => `seed-${id}-${name}`;
  const host = (name: string) => `10.99.0.${11 + names.indexOf(name)}`;
  ip("netns", "add", hub);
  ip("-n", hub, "link", "add", "bridge0", "type", "bridge");
  ip("-n", hub, "address", "add", "10.99.0.1/24", "dev", "bridge0");
  for (const device of ["lo", "bridge0"]) ip("-n", hub, "link", "set", device, "up");
  for (const name of names) {
    ip("netns", "add", space(name));
    ip("-n", hub, "link", "add", `to-${name}`, "type", "veth", "peer", "name", "eth0", "netns", space(name));
    ip("-n", hub, "link", "set", `to-${name}`, "master", "bridge0", "up");
    ip("-n", space(name), "address", "add", `${host(name)}/24`, "dev", "eth0");
    for (const device of ["lo", "eth0"]) ip("-n", space(name), "link", "set", device, "up");
  }

  const { hostname, port } = new URL(databaseUrl);
  const socketPath = join(tmpdir(), `seed-${id}.sock`);
  const outside = createServer((socket) => {
    const there = connect(Number(port), hostname);
    for (const each of [socket, there]) each.on("error", () => [socket, there].map((end) => end.destroy()));
    socket.pipe(there).pipe(socket);
  });
  await new Promise<void>((resolve) => outside.listen(socketPath, resolve));
  const script = `
    const { connect, createServer } = require("node:net");
    createServer((socket) => {
      const there = connect(process.argv[1]);
      for (const each of [socket, there]) each.on("error", () => { socket.destroy(); there.destroy(); });
      socket.pipe(there).pipe(socket);
    }).listen(5432, "10.99.0.1", () => console.log("ready"));
    process.stdin.on("end", () => process.exit()).resume();`;
  const inside = spawn("ip", ["netns", "exec", hub, process.execPath, "-e", script, socketPath], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(inside.stdout, "data");
  const url = new URL(databaseUrl);
  url.host = "10.99.0.1:5432";

  return {
    host,
    within: (name) => ["ip", "netns", "exec", space(name)],
    databaseUrl: url.href,
    cut: (name) => ip("-n", hub, "link", "set", `to-${name}`, "down"),
    heal: (name) => ip("-n", hub, "link", "set", `to-${name}`, "up"),
    cutBetween(one, other) {
      ip("-n", space(one), "route", "add", "blackhole", `${host(other)}/32`);
      ip("-n", space(other), "route", "add", "blackhole", `${host(one)}/32`);
    },
    async close() {
      inside.kill("SIGKILL");
      outside.close();
      rmSync(socketPath, { force: true });
      for (const name of [...names.map(space), hub]) ip("netns", "delete", name);
    },
  };
}

function ip(...parameters: string[]): void {
  execFileSync("ip", parameters, { stdio: ["ignore", "ignore", "pipe"] });
}
