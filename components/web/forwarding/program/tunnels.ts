import { spawn } from "node:child_process";
import { type AddressInfo, createServer } from "node:net";
import type { SshAccess } from "../../../mngr/client.ts";

/** The way to servers on other machines: ports of this machine's loopback, each through an ssh of its own. */
export interface Tunnels {
  /**
   * Makes a tunnel when there is none, which may take seconds.
   *
   * @param url of the server, as seen from there
   * @returns the URL to use here
   * @throws when there is no way; another try is made after a pause that grows
   */
  reach(ssh: SshAccess, url: string): Promise<URL>;
  /** Ends the tunnels that were not asked for since this was called last. */
  endUnused(): void;
  stop(): void;
}

interface Tunnel {
  readonly port: Promise<number>;
  readonly end: () => void;
}

interface Failure {
  readonly reason: unknown;
  readonly pauseMs: number;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

const connectSeconds = 15;
const firstPauseMs = 1000;
const mostPauseMs = 60_000;
/** What the far end says when it is there. */
const mark = "changeling-tunnel-is-up";

/** @param env of ssh, with PATH, HOME and SSH_AUTH_SOCK */
export function sshTunnels(env: Readonly<Record<string, string>>): Tunnels {
  const tunnels = new Map<string, Tunnel>();
  const failures = new Map<string, Failure>();
  let asked = new Set<string>();

  function open(key: string, ssh: SshAccess, url: URL): Tunnel {
    const calledOff = new AbortController();
    const forget = () => {
      if (tunnels.get(key) === tunnel) tunnels.delete(key);
    };
    const end = () => {
      calledOff.abort();
      forget();
    };
    const port = openTunnel(ssh, url, { env, signal: calledOff.signal, onEnd: forget });
    const tunnel = { port, end };
    tunnels.set(key, tunnel);
    port.then(
      () => failures.delete(key),
      (reason: unknown) => {
        const pauseMs = Math.min(mostPauseMs, (failures.get(key)?.pauseMs ?? firstPauseMs / 2) * 2);
        failures.set(key, { reason, pauseMs, until: Date.now() + pauseMs });
        forget();
      },
    );
    return tunnel;
  }

  return {
    async reach(ssh, text) {
      const url = new URL(text);
      const key = JSON.stringify([ssh, url.host]);
      asked.add(key);
      const failure = failures.get(key);
      const known = tunnels.get(key);
      if (known === undefined && failure !== undefined && Date.now() < failure.until) throw failure.reason;
      const { port } = known ?? open(key, ssh, url);
      url.port = String(await port);
      url.hostname = "127.0.0.1";
      return url;
    },
    endUnused() {
      for (const [key, { end }] of tunnels) if (!asked.has(key)) end();
      for (const key of failures.keys()) if (!asked.has(key)) failures.delete(key);
      asked = new Set();
    },
    stop() {
      for (const { end } of tunnels.values()) end();
    },
  };
}

interface Surroundings {
  readonly env: Readonly<Record<string, string>>;
  /** Ends it. */
  readonly signal: AbortSignal;
  readonly onEnd: () => void;
}

/** @returns its port here @throws with ssh's last line, when it does not come up */
async function openTunnel(ssh: SshAccess, url: URL, { env, signal, onEnd }: Surroundings): Promise<number> {
  const port = await freePort();
  return await new Promise<number>((resolve, reject) => {
    const child = spawn("ssh", sshArguments(ssh, url, port), { env, signal, stdio: "pipe" });
    let said = "";
    let complaint = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said = `${said}${text}`.slice(-1000);
      // By now what it forwards is set up.
      if (said.includes(mark)) resolve(port);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = `${complaint}${text}`.slice(-1000);
    });
    child.once("error", reject);
    child.once("close", () => {
      onEnd();
      const reason = complaint.trim().split("\n").at(-1) || "ssh said nothing";
      reject(new Error(`no tunnel to ${ssh.user}@${ssh.host}:${ssh.port}: ${reason}`));
    });
    // It may be gone by the time that its input is closed.
    child.stdin.on("error", () => {});
  });
}

function sshArguments({ user, host, port, key_path, known_hosts_path }: SshAccess, url: URL, here: number): string[] {
  const options = {
    BatchMode: "yes",
    ConnectTimeout: String(connectSeconds),
    ControlPath: "none",
    ExitOnForwardFailure: "yes",
    IdentitiesOnly: "yes",
    ServerAliveCountMax: "3",
    ServerAliveInterval: "15",
    StrictHostKeyChecking: "yes",
    ...(known_hosts_path ? { UserKnownHostsFile: `"${known_hosts_path}"` } : {}),
  };
  const far = `${url.hostname}:${url.port || (url.protocol === "https:" ? 443 : 80)}`;
  return [
    ...["-T", "-i", key_path, "-p", String(port), "-l", user],
    ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
    ...["-L", `127.0.0.1:${here}:${far}`],
    // Not -N: so it ends when its input does, which is when this process ends, however it ends.
    ...["--", host, `echo ${mark}; exec cat >/dev/null`],
  ];
}

/** One that was free just now. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
