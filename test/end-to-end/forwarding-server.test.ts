import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { writeInstalled } from "../../components/host/installed-file.ts";
import { newAgentId, writeRecord } from "../../components/web/agent/record.ts";
import { adminRequest, NotRunning } from "../../components/web/forwarding/admin-client.ts";
import { configPath, type ForwardingConfig } from "../../components/web/forwarding/program/config.ts";
import { forwardingState } from "../../components/web/forwarding/state.ts";
import { SmallBrowser } from "../support/small-browser.ts";

const program = fileURLToPath(new URL("../../components/web/forwarding/program/main.ts", import.meta.url));
const login = z.object({ url: z.string() });
const status = z.object({ pid: z.number(), port: z.number(), url: z.string() });

let home: string;
let paths: ReturnType<typeof installationPaths>;
let agentId: string;
const children = new Set<ChildProcess>();

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "fwd-"));
  mkdirSync(join(home, "bin"));
  paths = installationPaths("lab", home);
  agentId = newAgentId();
  configure({});
  const data = join(home, ".changelings", `${agentId}.data`);
  const repo = join(home, ".changelings", agentId);
  writeRecord(paths, { version: 1, name: "ada", agentId, agentName: "ada", provider: "local", repo, data });
});

afterEach(async () => {
  for (const child of children) await end(child, "SIGKILL");
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
});

function configure(options: Partial<ForwardingConfig>): void {
  const config: ForwardingConfig = {
    ...{ version: 1, port: 0, host: "127.0.0.1", publicUrl: null, routing: "host" },
    ...{ codeTtlSeconds: 900, cookieTtlSeconds: 3600 },
    ...options,
  };
  writeInstalled(configPath(paths.forwarding), config);
}

/** Without a mngr: what is asked of agents is not what is tried here. */
function spawnServer(): { child: ChildProcess; stderr: () => string } {
  const env = {
    HOME: home,
    PATH: join(home, "bin"),
    LANG: "C.UTF-8",
    NODE_COMPILE_CACHE: join(tmpdir(), "fwd-compiled"),
  };
  const child = spawn(process.execPath, [program, "lab"], { cwd: "/", env, stdio: ["ignore", "ignore", "pipe"] });
  children.add(child);
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  return { child, stderr: () => text };
}

async function start(): Promise<{ child: ChildProcess; port: number }> {
  const { child, stderr } = spawnServer();
  for (let waited = 0; waited < 30_000; waited += 50) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${stderr()}`);
    try {
      const { pid, port } = status.parse(await adminRequest(paths.forwarding, { op: "status" }));
      if (pid === child.pid) return { child, port };
    } catch (error) {
      if (!(error instanceof NotRunning)) throw error;
    }
    await sleep(50);
  }
  throw new Error(`it was not ready within 30 s: ${stderr()}`);
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  children.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
  return child.exitCode;
}

async function mint(): Promise<string> {
  const { url } = login.parse(await adminRequest(paths.forwarding, { op: "mint", agent: agentId }));
  return new URL(url).search;
}

interface Answered {
  readonly status: number;
  readonly cookie: string | undefined;
  readonly body: string;
}

/** @returns undefined when the server went away meanwhile */
function ask(port: number, path: string, cookie?: string): Promise<Answered | undefined> {
  return new Promise((resolve) => {
    const headers = { host: `localhost:${port}`, ...(cookie === undefined ? {} : { cookie }) };
    const asking = request({ host: "127.0.0.1", port, path, headers, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        body += part;
      });
      response.once("error", () => resolve(undefined));
      response.once("end", () =>
        resolve({ status: response.statusCode ?? 0, cookie: response.headers["set-cookie"]?.[0]?.split(";")[0], body }),
      );
    });
    asking.once("error", () => resolve(undefined));
    asking.end();
  });
}

const log = () => readFileSync(join(paths.forwarding, "forwarding.log"), "utf8").replaceAll(/^\S+ /gm, "");

describe("the forwarding server's program", () => {
  it("listens before it reports that it runs, keeps its files private, and exits cleanly", async () => {
    const { child, port } = await start();
    expect(forwardingState(paths)).toMatchObject({ alive: true, pid: child.pid, current: true });
    const search = await mint();
    expect((await ask(port, `/login${search}`))?.status).toBe(200);
    const browser = new SmallBrowser(port);
    const { status, body } = await browser.open(`/authenticate${search}`);
    expect([status, body.includes(`<a href="/${agentId}/">ada</a>`)]).toEqual([200, true]);

    const modes = readdirSync(paths.forwarding).map((file) => statSync(join(paths.forwarding, file)).mode & 0o077);
    expect(new Set(modes)).toEqual(new Set([0]));
    // Neither the code nor the cookie stands anywhere.
    const code = new URLSearchParams(search).get("one_time_code") ?? "?";
    const value = browser.mainCookies.split("=")[1] ?? "?";
    const texts = readdirSync(paths.forwarding)
      .filter((file) => statSync(join(paths.forwarding, file)).isFile())
      .map((file) => readFileSync(join(paths.forwarding, file), "latin1"));
    expect(texts.filter((text) => text.includes(code) || text.includes(value))).toEqual([]);

    // A second one finds the lock taken, and is not needed.
    const second = spawnServer();
    await once(second.child, "exit");
    expect(second.child.exitCode).toBe(0);
    expect((await ask(port, "/"))?.status).toBe(200);

    expect(await end(child, "SIGTERM")).toBe(0);
    expect(forwardingState(paths).alive).toBe(false);
    const lines = log()
      .split("\n")
      .filter((line) => !line.includes("mngr"));
    expect(lines).toContain(`listening on port ${port} of 127.0.0.1, as http://localhost:${port}`);
    expect(lines.at(-2)).toBe("ended: SIGTERM");
    await expect(adminRequest(paths.forwarding, { op: "status" })).rejects.toThrow(NotRunning);
  });

  it("reports the remedy if its port is in use, or its config is invalid", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    configure({ port });
    const taken = spawnServer();
    await once(taken.child, "close");
    other.close();
    const words = `port ${port} of 127.0.0.1 is in use by another program; end that program, or set another \`port\` in [forwarding] of the fleet file, then run: pulumi up`;
    expect([taken.child.exitCode, taken.stderr()]).toEqual([1, `error: ${words}\n`]);
    expect(log()).toContain(`did not start: ${words}\n`);

    configure({ host: "0.0.0.0" });
    const open = spawnServer();
    await once(open.child, "close");
    expect([open.child.exitCode, open.stderr()]).toEqual([
      1,
      `error: ${configPath(paths.forwarding)} can't be used (publicUrl: listens beyond this machine, so it needs a publicUrl with https); repair it with: pulumi up\n`,
    ]);
  });

  it("survives being killed at any moment: no code works twice, no file is damaged, no login is lost", async () => {
    const used = new Set<string>();
    const cookies: string[] = [];
    let pending: string[] = [];
    let unanswered = 0;
    let key: string | undefined;
    for (let round = 0; round < 12; round++) {
      const { child, port } = await start();
      key ??= readFileSync(join(paths.forwarding, "key"), "utf8");
      expect(readFileSync(join(paths.forwarding, "key"), "utf8")).toBe(key);
      for (const cookie of cookies.slice(-3)) expect((await ask(port, `/${agentId}/`, cookie))?.status).toBe(302);

      // Those that were tried while it was killed: at most good now if nobody was let in with them then.
      const codes = [...pending, ...(await Promise.all(Array.from({ length: 4 }, mint)))];
      // Each round at another point of the way, give or take a moment.
      let answered = 0;
      const isTime = Promise.withResolvers<void>();
      if (round === 0) isTime.resolve();
      const death = isTime.promise.then(() => sleep(Math.random() * 5)).then(() => end(child, "SIGKILL"));
      const tries = codes.flatMap((search) => [search, search]);
      const answers = await Promise.all(
        tries.map(async (search) => {
          const answer = await ask(port, `/authenticate${search}`);
          if (++answered >= round) isTime.resolve();
          return { search, answer };
        }),
      );
      await death;
      for (const { search, answer } of answers) {
        if (answer === undefined) unanswered++;
        if (answer?.status !== 302) continue;
        expect(used).not.toContain(search);
        used.add(search);
        cookies.push(answer.cookie ?? "");
      }
      pending = codes.slice(-4);
    }
    const { port } = await start();
    for (const search of used) {
      const answered = await ask(port, `/authenticate${search}`);
      // 429 is a refusal too, but would hide a code that is good again.
      expect(answered?.status).toBe(403);
    }
    expect(readFileSync(join(paths.forwarding, "key"), "utf8")).toBe(key);
    expect(readdirSync(paths.forwarding).filter((file) => /damaged|\.\d+$/.test(file))).toEqual([]);
    expect(log()).not.toMatch(/damaged|crashed/);
    // Both happened, or nothing was tried.
    expect(used.size).toBeGreaterThan(0);
    expect(unanswered).toBeGreaterThan(0);
  });
});
