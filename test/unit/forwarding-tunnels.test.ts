import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { SshAccess } from "../../components/mngr/client.ts";
import { isAlive } from "../../components/supervision/process.ts";
import { accepts } from "../../components/web/forwarding/program/discovery/probe.ts";
import { sshTunnels, type Tunnels } from "../../components/web/forwarding/program/tunnels.ts";

const sshd = "/usr/sbin/sshd";

describe.skipIf(!existsSync(sshd))("a tunnel to a server on another machine", () => {
  let folder: string;
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
    await eventually("sshd listens", () => accepts(new URL(`http://127.0.0.1:${port}`)));
  });
  afterAll(() => {
    daemon.kill();
    server.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    tunnels = sshTunnels({ PATH: `${process.env["PATH"]}`, HOME: folder });
  });
  afterEach(() => tunnels.stop());

  const far = (path = "") => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`;

  it("leads there, is used again, and ends when nobody asks for it, or on stop", async () => {
    const url = await tunnels.reach(ssh, far("page?x=1"));
    expect([url.hostname, url.pathname, url.search]).toEqual(["127.0.0.1", "/page", "?x=1"]);
    expect(url.host).not.toBe(new URL(far()).host);
    expect(await (await fetch(url)).text()).toBe("far away");
    expect((await tunnels.reach(ssh, far())).port).toBe(url.port);
    const [pid = 0] = sshOf(url.port);
    tunnels.endUnused();
    expect(await accepts(url, 100)).toBe(true);
    tunnels.endUnused();
    await eventually("it has ended", async () => !(await accepts(url)) && !isAlive(pid));
    const next = await tunnels.reach(ssh, far());
    const [nextPid = 0] = sshOf(next.port);
    tunnels.stop();
    await eventually("it has ended too", () => !isAlive(nextPid));
  });

  it("is made anew after it broke", async () => {
    const url = await tunnels.reach(ssh, far());
    for (const pid of sshOf(url.port)) process.kill(pid, "SIGKILL");
    await eventually("there is a new one", async () => {
      const next = await tunnels.reach(ssh, far());
      return next.port !== url.port && (await (await fetch(next)).text()) === "far away";
    });
  });

  it("tells a server that is there from one that is not", async () => {
    const nobody = await tunnels.reach(ssh, `http://127.0.0.1:${await freePort()}`);
    expect(await accepts(nobody, 10_000)).toBe(false);
    expect(await accepts(await tunnels.reach(ssh, far()), 300)).toBe(true);
  });

  it("goes to no host whose key is not known, nor tries that again at once", async () => {
    const unknown = { ...ssh, known_hosts_path: join(folder, "nobody_known") };
    const reasonOf = () => tunnels.reach(unknown, far()).catch((reason: unknown) => reason);
    const reason = await reasonOf();
    expect(String(reason)).toBe(`Error: no tunnel to ${ssh.user}@127.0.0.1:${ssh.port}: Host key verification failed.`);
    expect(await reasonOf()).toBe(reason);
  });

  it("ends when its program is killed", async () => {
    const module = join(import.meta.dirname, "../../components/web/forwarding/program/tunnels.ts");
    const code = `const { sshTunnels } = await import(${JSON.stringify(module)});
      const url = await sshTunnels(process.env).reach(${JSON.stringify(ssh)}, ${JSON.stringify(far())});
      process.stdout.write(url.port);`;
    const program = spawn(process.execPath, ["--input-type=module", "--eval", code], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const port = await new Promise<string>((resolve) => program.stdout.once("data", (text) => resolve(String(text))));
    const [pid = 0] = sshOf(port);
    expect(isAlive(pid)).toBe(true);
    program.kill("SIGKILL");
    await eventually("ssh has ended", () => !isAlive(pid));
  });
});

/** The ssh processes that listen at a port here, by what they were started with. */
function sshOf(port: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => commandLine(pid).includes(`127.0.0.1:${port}:`))
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

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createTcpServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
