import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { isAlive } from "../../../../components/lib/process.ts";
import type { SshAccess } from "../../../../components/mngr/client.ts";
import type { Reach } from "../../../../components/web/forwarding/program/agents.ts";
import { accepts } from "../../../../components/web/forwarding/program/discovery/probe.ts";
import { sshTunnels, type Tunnels } from "../../../../components/web/forwarding/program/tunnels.ts";
import { freePort } from "../../../support/free-port.ts";

const sshd = "/usr/sbin/sshd";

describe.skipIf(!existsSync(sshd))("a tunnel to a server on another machine", () => {
  let folder: string;
  let own: string;
  let daemon: ChildProcess;
  let ssh: SshAccess;
  let tunnels: Tunnels;
  const server = createServer((_, res) => res.end("far away"));

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "tunnels "));
    for (const key of ["host", "own"])
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, key)]);
    const port = await freePort();
    const hostKey = readFileSync(join(folder, "host.pub"), "utf8");
    writeFileSync(join(folder, "known_hosts"), `[127.0.0.1]:${port} ${hostKey}`);
    writeFileSync(join(folder, "nobody_known"), "");
    // sshd run by root leaves its privileges in this folder.
    if (userInfo().uid === 0) mkdirSync("/run/sshd", { recursive: true });
    const settings = {
      Port: port,
      ListenAddress: "127.0.0.1",
      HostKey: `"${join(folder, "host")}"`,
      AuthorizedKeysFile: `"${join(folder, "own.pub")}"`,
      PidFile: "none",
      StrictModes: "no",
      UsePAM: "no",
    };
    const config = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`);
    writeFileSync(join(folder, "sshd_config"), config.join(""));
    daemon = spawn(sshd, ["-D", "-e", "-f", join(folder, "sshd_config")], { stdio: "ignore" });
    const access = { user: userInfo().username, host: "127.0.0.1", port, key_path: join(folder, "own") };
    ssh = { ...access, known_hosts_path: join(folder, "known_hosts") };
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await eventually("sshd listens", () => accepts({ url: new URL(`http://127.0.0.1:${port}`) }));
  });
  afterAll(() => {
    daemon.kill();
    server.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    own = join(folder, "own folder");
    tunnels = sshTunnels({ PATH: `${process.env["PATH"]}`, HOME: folder }, own);
  });
  afterEach(() => tunnels.stop());

  const far = (path = "") => new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`);

  it("works, is reused, and ends if unused, or on stop", async () => {
    const reach = await tunnels.reach(ssh, far("page?x=1"));
    expect(reach.url).toEqual(far("page?x=1"));
    expect(await got(reach)).toBe("far away");
    expect((await tunnels.reach(ssh, far())).socketPath).toBe(reach.socketPath);
    const [pid = 0] = sshOf(reach);
    tunnels.endUnused();
    expect(await accepts(reach, 100)).toBe(true);
    tunnels.endUnused();
    await eventually("it has ended", async () => !(await accepts(reach)) && !isAlive(pid));
    const next = await tunnels.reach(ssh, far());
    const [nextPid = 0] = sshOf(next);
    tunnels.stop();
    await eventually("it has ended too", () => !isAlive(nextPid));
  });

  it("listens on a socket that only this user can access, not on a port", async () => {
    const { socketPath = "" } = await tunnels.reach(ssh, far());
    const [pid = 0] = sshOf({ socketPath });
    expect([statSync(dirname(socketPath)).mode & 0o777, statSync(socketPath).mode & 0o777]).toEqual([0o700, 0o600]);
    expect(listeningPorts(pid)).toEqual([]);
  });

  it("also leads to a Unix socket", async () => {
    const there = createServer((_, res) => res.end("by a socket"));
    const path = join(folder, "far.sock");
    await new Promise<void>((resolve) => there.listen(path, resolve));
    const reach = await tunnels.reach(ssh, new URL(`unix:${path}`));
    expect([reach.url.href, await got(reach)]).toEqual(["http://localhost/", "by a socket"]);
    there.close();
  });

  it("finds a short path for its sockets, and removes them", async () => {
    const long = sshTunnels({ PATH: `${process.env["PATH"]}`, HOME: folder }, join(folder, "x".repeat(100)));
    const reach = await long.reach(ssh, far());
    expect(await got(reach)).toBe("far away");
    expect(statSync(dirname(reach.socketPath ?? "")).mode & 0o777).toBe(0o700);
    long.stop();
    expect(existsSync(dirname(reach.socketPath ?? ""))).toBe(false);
    await tunnels.reach(ssh, far());
    expect(existsSync(join(own, "tunnels"))).toBe(true);
    tunnels.stop();
    expect(existsSync(join(own, "tunnels"))).toBe(false);
  });

  it("is opened again after it broke", async () => {
    const first = await tunnels.reach(ssh, far());
    for (const pid of sshOf(first)) process.kill(pid, "SIGKILL");
    await eventually("there is a new one", async () => {
      const next = await tunnels.reach(ssh, far());
      return next.socketPath !== first.socketPath && (await got(next)) === "far away";
    });
  });

  it("distinguishes a running server from a missing one", async () => {
    const nobody = await tunnels.reach(ssh, new URL(`http://127.0.0.1:${await freePort()}`));
    expect(await accepts(nobody, 10_000)).toBe(false);
    expect(await accepts(await tunnels.reach(ssh, far()), 300)).toBe(true);
  });

  it("rejects unknown host keys, and does not retry immediately", async () => {
    const unknown = { ...ssh, known_hosts_path: join(folder, "nobody_known") };
    const reasonOf = () => tunnels.reach(unknown, far()).catch((reason: unknown) => reason);
    const reason = await reasonOf();
    expect(String(reason)).toBe(`Error: no tunnel to ${ssh.user}@127.0.0.1:${ssh.port}: Host key verification failed.`);
    expect(await reasonOf()).toBe(reason);
  });

  it("ends when its program is killed", async () => {
    const module = join(import.meta.dirname, "../../../../components/web/forwarding/program/tunnels.ts");
    const code = `const { sshTunnels } = await import(${JSON.stringify(module)});
      const tunnels = sshTunnels(process.env, ${JSON.stringify(own)});
      const { socketPath } = await tunnels.reach(${JSON.stringify(ssh)}, new URL(${JSON.stringify(far())}));
      process.stdout.write(socketPath);`;
    const program = spawn(process.execPath, ["--input-type=module", "--eval", code], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const path = await new Promise<string>((resolve) => program.stdout.once("data", (text) => resolve(String(text))));
    const [pid = 0] = sshOf({ socketPath: path });
    expect(isAlive(pid)).toBe(true);
    program.kill("SIGKILL");
    await eventually("ssh has ended", () => !isAlive(pid));
  });
});

/** What a server says to whoever comes this way. */
function got({ url, socketPath = "" }: Reach): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path: url.pathname, agent: false }, (response) => resolve(text(response)));
    sent.once("error", reject).end();
  });
}

/** The TCP ports that a process listens on, as the kernel has them. */
function listeningPorts(pid: number): string[] {
  const sockets = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? [];
      return inode ?? [];
    }),
  );
  const rows = ["tcp", "tcp6"].flatMap((table) => readFileSync(`/proc/${pid}/net/${table}`, "utf8").split("\n"));
  const listening = "0A";
  return rows
    .map((row) => row.trim().split(/\s+/))
    .flatMap((row) => (row[3] === listening && sockets.has(row[9] ?? "") ? [row[1] ?? ""] : []));
}

/** The ssh processes that listen at a socket here, by what they were started with. */
function sshOf({ socketPath }: Pick<Reach, "socketPath">): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => commandLine(pid).includes(`${socketPath}:`))
    .map(Number);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(join("/proc", pid, "cmdline"), "utf8");
  } catch {
    return "";
  }
}

async function eventually(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries += 1) {
    if (tries === 200) throw new Error(`not within 10 s: ${what}`);
    await sleep(50);
  }
}
