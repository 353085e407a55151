import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openNetwork } from "../../components/sandbox/local/network.ts";
import { localProvider } from "../../components/sandbox/local/provider.ts";
import { findTools } from "../../components/sandbox/local/tools.ts";
import type { CreateOptions, ExecOptions, Sandbox } from "../../components/sandbox/provider.ts";
import type { SandboxSpec } from "../../components/sandbox/spec.ts";
import { sandboxSpec } from "../support/sandbox-spec.ts";

/** What only the local provider can get wrong, because its sandboxes are on this machine. */

const canary = `canary-${process.pid}-${Date.now()}`;
const outside = mkdtempSync(join(tmpdir(), "outside-"));
const sandboxes = mkdtempSync(join(tmpdir(), "sandboxes-"));
const inHome = join(homedir(), `.${canary}`);
const provider = localProvider({ sandboxes });
let image: string;
let number = 0;

async function create(spec: Partial<SandboxSpec> = {}, options: Partial<CreateOptions> = {}): Promise<Sandbox> {
  number += 1;
  return provider.create({ id: `s${number}`, spec: sandboxSpec(spec), image, volumes: {}, labels: {}, ...options });
}

function sh(sandbox: Sandbox, script: string, options: Partial<ExecOptions> = {}) {
  return sandbox.exec(["sh", "-c", script], { timeoutSeconds: 60, ...options });
}

beforeAll(async () => {
  for (const file of [inHome, join(outside, canary), join(sandboxes, canary)]) writeFileSync(file, canary);
  image = await provider.prepareImage({ spec: sandboxSpec() });
});
afterAll(() => {
  for (const path of [inHome, outside, sandboxes]) rmSync(path, { recursive: true, force: true });
});

describe("from inside of a sandbox", () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await create();
  });
  afterAll(() => sandbox.terminate());

  test("no file of this machine is there, but the system's programs", async () => {
    const { stdout } = await sh(sandbox, `find / -name '*${canary}*' 2>/dev/null; true`);
    expect(stdout).toBe("");
    for (const path of [homedir(), process.cwd(), outside, sandboxes, "/var/log", "/etc/shadow", "/etc/ssl/private"]) {
      const { stdout } = await sh(sandbox, `ls -A '${path}' 2>&1; true`);
      // Its own home has the same path as root's.
      if (path !== "/root") expect(stdout, path).toContain("No such file");
    }
    expect((await sh(sandbox, "ls /")).stdout.split("\n")).not.toEqual(expect.arrayContaining(["home"]));
    expect((await sh(sandbox, "ls -A /sys /run /home /srv /mnt 2>/dev/null; true")).stdout).toMatch(/^(\/run:\n)?$/);
    expect((await sh(sandbox, "ls -A /root")).stdout).toBe("");
  });

  test("no process of this machine is seen, and none can be signalled", async () => {
    const { stdout } = await sh(sandbox, "ls /proc | grep -c '^[0-9]'; kill -0 1 && kill -9 -1; echo alive");
    expect(Number(stdout.split("\n")[0])).toBeLessThan(8);
    expect((await sh(sandbox, `kill -0 ${process.pid}`)).code).not.toBe(0);
  });

  test("it has no capabilities, can't get any, and can't make namespaces or mounts", async () => {
    const { stdout } = await sh(sandbox, "grep -E '^(Cap|NoNewPrivs)' /proc/self/status");
    expect(stdout.match(/^Cap\w+:\t0+$/gm)).toHaveLength(5);
    expect(stdout).toMatch(/^NoNewPrivs:\t1$/m);
    for (const attempt of [
      "unshare -Ur true",
      "unshare -m true",
      "mount -t tmpfs x /mnt",
      "umount /proc",
      "mknod /tmp/x b 8 0",
    ]) {
      expect((await sh(sandbox, attempt)).code, attempt).not.toBe(0);
    }
  });

  test("it can write in its own folders alone", async () => {
    for (const path of ["/x", "/usr/x", "/etc/passwd", "/app/AGENTS.md", "/opt/tools/node/x", "/var/x"]) {
      expect((await sh(sandbox, `echo x >> ${path}`)).code, path).not.toBe(0);
    }
    expect(await sh(sandbox, "touch /workspace/x /root/x /tmp/x /var/tmp/y /run/z")).toMatchObject({ code: 0 });
  });

  test("names of files and variables with any bytes stay what they are", async () => {
    const name = "a b\n'\"$(touch ran)`touch ran`;ä";
    const options = { env: { NAME: name }, timeoutSeconds: 60, cwd: "/workspace" };
    await sandbox.exec(["sh", "-c", 'printf %s "$NAME" > "/workspace/$NAME"'], options);
    const { stdout } = await sandbox.exec(["cat", `/workspace/${name}`], { timeoutSeconds: 60 });
    expect(stdout).toBe(name);
    expect((await sh(sandbox, "ls /workspace/ran")).code).not.toBe(0);
  });
});

describe("the network", () => {
  const server = createServer((incoming, outgoing) => outgoing.end(`${incoming.url} of ${canary}`));
  let port = 0;
  beforeAll(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => server.close());
  const curl = "curl -s --max-time 10";

  test("leads neither to this machine nor anywhere else, unless that is allowed", async () => {
    for (const allowDomains of [undefined, [], ["example.com"], ["localhost", "127.0.0.1"]]) {
      const sandbox = await create(allowDomains === undefined ? {} : { allowDomains });
      const url = `http://127.0.0.1:${port}/a`;
      const attempts = [
        `${curl} ${url}`,
        `${curl} --noproxy '' ${url}`,
        `${curl} --noproxy '' -p ${url}`,
        `${curl} --noproxy '' http://localhost:${port}/a`,
        `${curl} --noproxy '' http://2130706433:${port}/a`,
        `${curl} --noproxy '*' http://169.254.169.254/`,
      ];
      for (const attempt of attempts) expect((await sh(sandbox, attempt)).stdout, attempt).not.toContain(canary);
      const { stdout } = await sh(sandbox, "tail -n +3 /proc/net/dev | cut -d: -f1; cat /proc/net/unix | grep -c @");
      expect(stdout.trim().split(/\s+/)).toEqual(["lo", "0"]);
      await sandbox.terminate();
    }
  });

  test("says what is not allowed, and by which option", async () => {
    const sandbox = await create({ allowDomains: ["example.com"] });
    const { stdout } = await sh(sandbox, `${curl} http://example.org/`);
    expect(stdout).toContain("example.org:80 is not allowed in this sandbox; allow_domains lists what is");
    await sandbox.terminate();
  });

  test("leads to a listed port of this machine, directly and by the proxy", async () => {
    const sandbox = await create({ allowDomains: [`127.0.0.1:${port}`] });
    for (const how of ["", "--noproxy ''", "--noproxy '' -p"]) {
      expect((await sh(sandbox, `${curl} ${how} http://127.0.0.1:${port}/a`)).stdout, how).toContain(`/a of ${canary}`);
    }
    const fetching = `fetch("http://127.0.0.1:${port}/node").then(r => r.text()).then(console.log)`;
    expect((await sandbox.exec(["node", "-e", fetching], { timeoutSeconds: 60 })).stdout).toContain(
      `/node of ${canary}`,
    );
    await sandbox.terminate();
  });

  test("is made again after its process was killed", async () => {
    const sandbox = await create({ allowDomains: [`127.0.0.1:${port}`] });
    const get = async () => (await sh(sandbox, `${curl} http://127.0.0.1:${port}/a`)).stdout;
    expect(await get()).toContain(canary);
    for (const pid of pidsWith("/forward.mjs")) if (parentOf(pid) === process.pid) process.kill(pid, "SIGKILL");
    await expect.poll(get).toContain(canary);
    await sandbox.terminate();
  });
});

describe("on this machine", () => {
  test("no process outlives an end by time, by a signal or by the program", async () => {
    const sandbox = await create();
    const mark = `7${process.pid}7`;
    const script = `setsid sleep ${mark} & (sleep ${mark} &) ; `;
    const abort = new AbortController();
    await sh(sandbox, `${script} sleep ${mark}`, { timeoutSeconds: 1 });
    await sh(sandbox, `${script} echo; sleep ${mark}`, { signal: abort.signal, onOutput: () => abort.abort() });
    await sh(sandbox, script);
    await expect.poll(() => pidsWith(mark)).toEqual([]);
    await sandbox.terminate();
  });

  test("a process leaves no folder of its network, however it ends", async () => {
    const module = JSON.stringify(new URL("../../components/sandbox/local/network.ts", import.meta.url).href);
    const { bwrap } = await findTools([], {});
    const script = `const { openNetwork } = await import(${module});
      await openNetwork(${JSON.stringify(bwrap)}, { allowDomains: undefined });
      console.log(process.pid);`;
    const own = (pid: string) => readdirSync(tmpdir()).filter((name) => name.startsWith(`clg-${pid}-`));
    for (const isKilled of [false, true]) {
      const wait = isKilled ? "setInterval(() => {}, 1000);" : "";
      const child = spawn(process.execPath, ["--input-type=module", "-e", script + wait], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const ended = once(child, "exit");
      const pid = String((await once(child.stdout, "data"))[0]).trim();
      if (isKilled) expect(own(pid)).toHaveLength(1);
      if (isKilled) child.kill("SIGKILL");
      await ended;
      if (isKilled) (await openNetwork(bwrap, { allowDomains: undefined })).end();
      expect(own(pid), isKilled ? "killed" : "ended").toEqual([]);
    }
  });

  test("a variable's value is in no argv and no file", async () => {
    const sandbox = await create();
    const secret = `secret-${canary}`;
    let argvs = "";
    await sh(sandbox, "echo; sleep 0.3", {
      env: { TOKEN: secret },
      onOutput: () => {
        argvs = allPids()
          .map((pid) => argvOf(pid))
          .join("\n");
      },
    });
    expect(argvs).toContain("bwrap");
    expect(argvs).not.toContain(secret);
    expect(
      readdirSync(sandboxes, { recursive: true, encoding: "utf8" }).filter((name) =>
        containsText(join(sandboxes, name), secret),
      ),
    ).toEqual([]);
    await sandbox.terminate();
  });

  test("a symlink out of a sandbox is neither followed by a snapshot nor by its end", async () => {
    const kept = join(outside, "kept");
    mkdirSync(kept);
    writeFileSync(join(kept, "file"), canary);
    const sandbox = await create();
    await sh(
      sandbox,
      `ln -s '${kept}' /workspace/link; ln -s '${kept}/file' /root/link; rm -rf /tmp/x; ln -s / /tmp/x`,
    );
    const snapshot = await sandbox.snapshot();
    const restored = await create({}, { snapshot });
    expect((await sh(restored, "readlink /workspace/link /root/link; cat /root/link")).stdout).toBe(
      `${kept}\n${kept}/file\n`,
    );
    await Promise.all([sandbox.terminate(), restored.terminate(), provider.removeSnapshot(snapshot)]);
    expect(readFileSync(join(kept, "file"), "utf8")).toBe(canary);
  });

  test("folders that forbid everything are removed", async () => {
    const sandbox = await create();
    await sh(sandbox, "mkdir -p /workspace/a/b && touch /workspace/a/b/c && chmod 0 /workspace/a/b /workspace/a");
    await sandbox.terminate();
    expect(leftovers("live")).toEqual([]);
  });

  test("a sandbox can't move what its volume is mounted on", async () => {
    const volumes = { "/root/.mcp-memory": "memory-a" };
    const sandbox = await create({}, { volumes });
    expect((await sh(sandbox, "mv /root/.mcp-memory /root/x")).code).not.toBe(0);
    expect(
      (await sh(sandbox, "rm -rf /root/.mcp-memory; ln -s /etc /root/.mcp-memory/x; echo a > /root/.mcp-memory/f"))
        .code,
    ).toBe(0);
    await sandbox.terminate();
    expect(readFileSync(join(sandboxes, "volumes/memory-a/f"), "utf8")).toBe("a\n");
    for (const path of ["/etc", "/root/a/b", "/root/..", "/workspace/../etc", "relative"]) {
      await expect(create({}, { volumes: { [path]: "memory-a" } }), path).rejects.toThrow(
        "create: a volume can't be at",
      );
    }
    await expect(create({}, { volumes: { "/root/x": "../x" } })).rejects.toThrow("is not the name of a volume");
  });

  test("its memory is limited where this machine can", async () => {
    const notes: string[] = [];
    const sandbox = await create({ memoryGb: 0.25, cpu: 1 }, { onProgress: (line) => notes.push(line) });
    const eat = "const all = []; for (;;) all.push(Buffer.alloc(16 * 1024 * 1024, 1)); ";
    if (!notes.some((note) => note.startsWith("memory_gb is not enforced"))) {
      const { code } = await sandbox.exec(["node", "-e", eat], { timeoutSeconds: 60 });
      expect(code).toBe(137);
    }
    expect(await sh(sandbox, "echo a")).toMatchObject({ code: 0 });
    await sandbox.terminate();
  });

  test("a kill -9 while sandboxes are made leaves only whole ones, and the next one removes the rest", async () => {
    const seed = await create();
    await sh(seed, "for i in $(seq 300); do echo $i > /workspace/$i; done");
    const snapshot = await seed.snapshot();
    await seed.terminate();
    const module = JSON.stringify(new URL("../../components/sandbox/local/provider.ts", import.meta.url).href);
    const script = `const { localProvider } = await import(${module});
      const provider = localProvider({ sandboxes: ${JSON.stringify(sandboxes)} });
      const [spec, image, snapshot] = JSON.parse(process.argv[1]);
      for (let i = 0; ; i++) {
        const sandbox = await provider.create({ id: "k" + process.pid + "-" + i, spec, image, snapshot, volumes: {}, labels: { killed: "yes" } });
        console.log("made");
        if (i % 2) await sandbox.terminate();
      }`;
    for (let round = 0; round < 3; round += 1) {
      const args = ["--input-type=module", "-e", script, "--", JSON.stringify([sandboxSpec(), image, snapshot])];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      await once(child.stdout, "data");
      await sleep(10 + round * 60);
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    const listed = await provider.list({ killed: "yes" });
    expect(listed.length).toBeGreaterThan(0);
    for (const { id } of listed) {
      const sandbox = await provider.open(id);
      expect((await sandbox?.exec(["sh", "-c", "ls /workspace | wc -l"], { timeoutSeconds: 60 }))?.stdout.trim()).toBe(
        "300",
      );
      await sandbox?.terminate();
    }
    await (await create()).terminate();
    expect(leftovers("live").filter((name) => name.startsWith("."))).toEqual([]);
  });

  test("says how to repair a machine without namespaces, and the opt-in", async () => {
    const findTools = async () => ({ bwrap: "/bin/false", parts: {}, mounts: {} });
    const broken = localProvider({ sandboxes, findTools });
    const failing = broken.prepareImage({ spec: sandboxSpec() });
    await expect(failing).rejects.toThrow(/^isolation: .*isolation = "none"/);
    const unconfined = await broken.create({
      id: "none",
      spec: sandboxSpec({ isolation: "none" }),
      image,
      volumes: {},
      labels: {},
    });
    expect((await sh(unconfined, "echo a")).stdout).toBe("a\n");
    await unconfined.terminate();
  });
});

function leftovers(folder: string): string[] {
  return existsSync(join(sandboxes, folder)) ? readdirSync(join(sandboxes, folder)) : [];
}

function allPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function argvOf(pid: number): string {
  return containsPath(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
}

function containsPath(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function containsText(path: string, text: string): boolean {
  return containsPath(path).includes(text);
}

function pidsWith(text: string): number[] {
  return allPids().filter((pid) => argvOf(pid).includes(text));
}

function parentOf(pid: number): number {
  return Number(containsPath(`/proc/${pid}/stat`).split(") ")[1]?.split(" ")[1]);
}
