import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { makeGroup } from "../../../../components/seed-agent/program/hot-reload/cgroup.ts";
import { fenced, fencedEnvironment } from "../../../../components/seed-agent/program/hot-reload/fence.ts";
import { startFencedProcess } from "../../../../components/seed-agent/program/hot-reload/fenced-process.ts";
import type { Fence } from "../../../../components/seed-agent/program/hot-reload/version-host.ts";
import { bubblewrap } from "../../../support/seed-agent/fences.ts";

/** Each fence by itself must hold what it is for: code that broke out of the other one is still confined. */
const fence = await bubblewrap();

/** Runs a program behind bubblewrap, but without Node's permission model. @returns what it printed, as JSON */
async function probe(confined: Fence, program: string): Promise<Record<string, unknown>> {
  const { command, args, user } = fenced(confined, { heapMb: 64, isFullNode: true });
  const child = spawn(command, args, {
    env: { ...fencedEnvironment, SEED_TEST_SECRET: "secret" },
    stdio: ["pipe", "pipe", "pipe", "ignore", "pipe"],
    timeout: 15_000,
    ...(user === undefined ? {} : { uid: user, gid: user }),
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  child.stdin?.end(program);
  await once(child, "close");
  try {
    return JSON.parse(output);
  } catch {
    throw new Error(output);
  }
}

/** The outcome of each attempt, or the code of its error. */
const attempts = `
  const results = {};
  const attempt = async (name, work) => {
    try { results[name] = await work(); } catch (error) { results[name] = "refused: " + (error.code ?? error.message); }
  };
  const reaches = (emitter, event) => new Promise((resolve, reject) => {
    emitter.once(event, () => resolve("reached")).once("error", reject);
    setTimeout(() => resolve("no answer"), 500);
  });`;

test.runIf(fence !== undefined)(
  "bubblewrap alone lets code reach neither files, network, processes nor secrets",
  async () => {
    if (fence === undefined) return;
    const folder = mkdtempSync(join(tmpdir(), "fence-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const secret = join(folder, "versions.db");
    writeFileSync(secret, "secret");
    const listeners = ["tcp", join(folder, "socket"), "\0seed-agent-test"].map((path) =>
      path === "tcp" ? createServer().listen(0, "127.0.0.1") : createServer().listen(path),
    );
    onTestFinished(() => {
      for (const listener of listeners) listener.close();
    });
    await Promise.all(listeners.map((listener) => once(listener, "listening")));
    const address = listeners[0]?.address();
    const port = typeof address === "object" ? address?.port : 0;
    const udp = createSocket("udp4");
    onTestFinished(() => {
      udp.close();
    });
    let datagrams = 0;
    udp.on("message", () => datagrams++).bind(0, "127.0.0.1");
    await once(udp, "listening");

    const results = await probe(
      fence,
      `${attempts}
    const fs = require("node:fs");
    const net = require("node:net");
    (async () => {
      await attempt("root", () => fs.readdirSync("/").sort().join(" "));
      for (const path of ["/etc/passwd", "/etc/hostname", "/proc/1/environ", "/proc/self/environ", ${JSON.stringify(secret)}])
        await attempt("read " + path.replace(${JSON.stringify(folder)}, ""), () => fs.readFileSync(path, "utf8"));
      for (const path of ["/x", "/tmp/x", "/dev/x", "/dev/shm/x", "/lib/x"]) await attempt("write " + path, () => fs.writeFileSync(path, "x"));
      await attempt("sqlite", () => {
        const { DatabaseSync } = require("node:sqlite");
        new DatabaseSync(${JSON.stringify(secret)}).exec("select 1");
        return "opened";
      });
      await attempt("tcp", () => reaches(net.connect(${port}, "127.0.0.1"), "connect"));
      await attempt("internet", () => reaches(net.connect(80, "1.1.1.1"), "connect"));
      await attempt("unix", () => reaches(net.connect(${JSON.stringify(join(folder, "socket"))}), "connect"));
      await attempt("abstract", () => reaches(net.connect("\\0seed-agent-test"), "connect"));
      await attempt("dns", () => require("node:dns/promises").lookup("example.com").then(() => "found"));
      await attempt("udp", () => new Promise((resolve, reject) => {
        const socket = require("node:dgram").createSocket("udp4");
        socket.send("x", ${udp.address().port}, "127.0.0.1", (error) => (socket.close(), error ? reject(error) : resolve("sent")));
      }));
      await attempt("kill the service", () => process.kill(${process.pid}, 0));
      await attempt("a shell", () => require("node:child_process").execFileSync("/bin/sh", ["-c", "id"]).toString());
      await attempt("environment", () => Object.keys(process.env).sort().join(" "));
      await attempt("user", () => process.getuid() + " " + require("node:os").hostname());
      console.log(JSON.stringify(results));
      process.exit(0);
    })();`,
    );
    expect(results).toMatchObject({
      root: expect.stringMatching(/^dev( lib\d*)* node( usr)?$/),
      environment: "LANG LC_ALL MALLOC_ARENA_MAX PWD TZ UV_THREADPOOL_SIZE",
      user: "65534 agent",
    });
    const { root: _, environment, user, udp: sent, ...refused } = results;
    for (const [name, result] of Object.entries(refused))
      expect(`${name}: ${result}`).toMatch(/: refused: E|: refused: ERR_SQLITE|: refused: unable/);
    expect(datagrams).toBe(0);
    expect(String(sent)).toMatch(/refused|sent/);
  },
);

/** @param work a script that calls `send(text)`, and at last `send("end")` */
async function confinedRun(confined: Fence, work: string): Promise<{ lines: string[]; reason: string }> {
  const lines: string[] = [];
  const began = Promise.withResolvers<void>();
  const running = startFencedProcess({
    ...{ fence: confined, memoryMb: 128, isFullNode: true },
    program: `
      const socket = new (require("node:net").Socket)({ fd: 3, readable: true, writable: true });
      const send = (text) => socket.write(text + "\\n");
      socket.once("data", () => { ${work} });
      send("ready");`,
    onLine: (line) => {
      lines.push(line);
      if (line === "ready") began.resolve();
      if (line === "end") running.kill("the end");
    },
  });
  await began.promise;
  await running.confine();
  running.send("go");
  return { lines, ...(await running.ended) };
}

test.runIf(fence !== undefined)("bubblewrap alone stops a fork bomb", async ({ skip }) => {
  if (fence === undefined) return;
  const group = makeGroup({ processes: 64, memory: 1024 ** 3 });
  group?.remove();
  const isCounted = process.getuid?.() !== 0 || fence.user !== undefined || group !== undefined;
  skip(!isCounted, "root may make no control group here, and the kernel counts no processes of root");
  const { lines, reason } = await confinedRun(
    fence,
    `const { spawn } = require("node:child_process");
    const start = (n) => {
      if (n === 200) return setTimeout(() => send("end"), 300);
      try { spawn("/node", ["-e", "setInterval(() => {}, 1e9)"], { stdio: "ignore" }).once("spawn", () => send("spawned")).once("error", ({ code }) => send(code)); } catch ({ code }) { send(code); }
      setTimeout(start, 2, n + 1);
    };
    start(0);`,
  );
  expect(lines.filter((line) => line === "spawned").length).toBeLessThan(64);
  expect(reason).toMatch(/the end|memory|SIG|code/);
});

test.runIf(fence !== undefined)("bubblewrap alone stops a bomb of threads, and lets it write nothing", async () => {
  if (fence === undefined) return;
  const { lines } = await confinedRun(
    fence,
    `const { Worker } = require("node:worker_threads");
    for (let n = 0; n < 100; n++) {
      try { new Worker("setInterval(() => {}, 1e9)", { eval: true }).once("error", () => {}).once("online", () => send("worker")); } catch ({ code }) { send(code); }
    }
    setTimeout(() => send("end"), 1000);`,
  );
  expect(lines.filter((line) => line === "worker").length).toBeLessThan(64);
});
