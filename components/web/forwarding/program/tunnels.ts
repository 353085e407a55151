import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SshAccess } from "../../../mngr/client.ts";
import { longestSocketPath, socketPathOf } from "../../agent/servers.ts";
import type { Reach } from "./agents.ts";

/**
 * Connections to servers on other machines: Unix sockets in a folder that only this user can access, each with its own
 * ssh. A loopback port would be open to every other user. Worse, it would be a port of `localhost` that an agent
 * serves, and browsers send a host's cookies to all of its ports.
 */
export interface Tunnels {
  /**
   * Opens a tunnel if there is none, which may take seconds.
   *
   * @param url the server's URL on its own machine
   * @throws if the tunnel can't be opened; retries wait for a growing pause
   */
  reach(ssh: SshAccess, url: URL): Promise<Reach>;
  /** Closes the tunnels that were not used since the last call. */
  endUnused(): void;
  stop(): void;
}

interface Tunnel {
  readonly path: Promise<string>;
  readonly end: () => void;
}

interface Failure {
  readonly reason: unknown;
  readonly pauseMs: number;
  /** By `performance.now()`, because the wall clock can be set. */
  readonly until: number;
}

const connectSeconds = 15;
const firstPauseMs = 1000;
const mostPauseMs = 60_000;
/** The remote end prints this once the tunnel is up. */
const mark = "changeling-tunnel-is-up";

/** How to reach a server on this machine. */
export function reachOf(url: URL): Reach {
  const socketPath = socketPathOf(url);
  return socketPath === undefined ? { url } : { url: new URL("http://localhost/"), socketPath };
}

/**
 * @param env for ssh, with PATH, HOME and SSH_AUTH_SOCK
 * @param folder the forwarding server's folder; the caller holds its lock
 */
export function sshTunnels(env: Readonly<Record<string, string>>, folder: string): Tunnels {
  const tunnels = new Map<string, Tunnel>();
  const failures = new Map<string, Failure>();
  let requested = new Set<string>();
  let sockets: string | undefined;
  let count = 0;

  function open(key: string, ssh: SshAccess, url: URL): Tunnel {
    const controller = new AbortController();
    const forget = () => {
      if (tunnels.get(key) === tunnel) tunnels.delete(key);
    };
    const end = () => {
      controller.abort();
      forget();
    };
    sockets ??= socketFolder(folder);
    count += 1;
    const path = openTunnel(ssh, url, join(sockets, String(count)), { env, signal: controller.signal, onEnd: forget });
    const tunnel = { path, end };
    tunnels.set(key, tunnel);
    path.then(
      () => failures.delete(key),
      (reason: unknown) => {
        const pauseMs = Math.min(mostPauseMs, (failures.get(key)?.pauseMs ?? firstPauseMs / 2) * 2);
        failures.set(key, { reason, pauseMs, until: performance.now() + pauseMs });
        forget();
      },
    );
    return tunnel;
  }

  return {
    async reach(ssh, url) {
      const key = JSON.stringify([ssh, farEnd(url)]);
      requested.add(key);
      const failure = failures.get(key);
      const known = tunnels.get(key);
      if (known === undefined && failure !== undefined && performance.now() < failure.until) throw failure.reason;
      const { path } = known ?? open(key, ssh, url);
      return { ...reachOf(url), socketPath: await path };
    },
    endUnused() {
      for (const [key, { end }] of tunnels) if (!requested.has(key)) end();
      for (const key of failures.keys()) if (!requested.has(key)) failures.delete(key);
      requested = new Set();
    },
    stop() {
      for (const { end } of tunnels.values()) end();
      if (sockets !== undefined) rmSync(sockets, { recursive: true, force: true });
    },
  };
}

/** A new folder that only this user can access, with a path short enough for sockets on every system. */
function socketFolder(folder: string): string {
  const own = join(folder, "tunnels");
  if (Buffer.byteLength(join(own, "99999999")) > longestSocketPath) return mkdtempSync(join(tmpdir(), "changelings-"));
  rmSync(own, { recursive: true, force: true });
  mkdirSync(own, { recursive: true, mode: 0o700 });
  chmodSync(own, 0o700);
  return own;
}

interface TunnelOptions {
  readonly env: Readonly<Record<string, string>>;
  /** Closes the tunnel. */
  readonly signal: AbortSignal;
  readonly onEnd: () => void;
}

/**
 * @returns its local socket
 * @throws with ssh's last line if it does not come up
 */
function openTunnel(ssh: SshAccess, url: URL, path: string, { env, signal, onEnd }: TunnelOptions): Promise<string> {
  return new Promise<string>((resolve, reject) => {
    const child = spawn("ssh", sshArguments(ssh, url, path), { env, signal, stdio: "pipe" });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output = `${output}${text}`.slice(-1000);
      // Forwarding is set up by now.
      if (output.includes(mark)) resolve(path);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors = `${errors}${text}`.slice(-1000);
    });
    child.once("error", reject);
    child.once("close", () => {
      onEnd();
      rmSync(path, { force: true });
      const reason = errors.trim().split("\n").at(-1) || "ssh printed nothing";
      reject(new Error(`no tunnel to ${ssh.user}@${ssh.host}:${ssh.port}: ${reason}`));
    });
    // The process may have ended before its input is closed.
    child.stdin.on("error", () => {});
  });
}

function sshArguments({ user, host, port, key_path, known_hosts_path }: SshAccess, url: URL, here: string): string[] {
  const options = {
    BatchMode: "yes",
    ConnectTimeout: String(connectSeconds),
    ControlPath: "none",
    ExitOnForwardFailure: "yes",
    IdentitiesOnly: "yes",
    ServerAliveCountMax: "3",
    ServerAliveInterval: "15",
    StreamLocalBindMask: "0177",
    StrictHostKeyChecking: "yes",
    ...(known_hosts_path ? { UserKnownHostsFile: `"${known_hosts_path}"` } : {}),
  };
  return [
    ...["-T", "-i", key_path, "-p", String(port), "-l", user],
    ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
    ...["-L", `${here}:${farEnd(url)}`],
    // Not -N: this way ssh ends when its input closes, which happens however this process ends.
    ...["--", host, `echo ${mark}; exec cat >/dev/null`],
  ];
}

/** Where a server listens on its machine, in ssh's syntax. */
function farEnd(url: URL): string {
  return socketPathOf(url) ?? `${url.hostname}:${url.port || (url.protocol === "https:" ? 443 : 80)}`;
}
