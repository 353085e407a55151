import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Mngr, MngrError } from "../../../../components/mngr/client.ts";
import type { WebRecord } from "../../../../components/web/agent/record.ts";
import { readAgents } from "../../../../components/web/forwarding/program/discovery/read-agents.ts";
import { idOf, record, recordAway } from "../../../support/agents-lab.ts";

const id = idOf("chat");
let home: string;
/** mngr's folder of the agent, and that of its data. */
let [state, data] = ["", ""];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "read-agents "));
  [state, data] = [join(home, ".mngr", "agents", id), join(home, "data")];
  for (const folder of ["events/services", "logs"]) mkdirSync(join(state, folder), { recursive: true });
  mkdirSync(data);
});
afterEach(() => rmSync(home, { recursive: true }));

const agent = { id, name: "chat", state: "WAITING", labels: {}, plugin: {} };
const noExec = () => Promise.reject(new Error("an agent on this machine was queried by mngr"));

async function output(of: WebRecord, mngr: Partial<Mngr>, env: NodeJS.ProcessEnv = { HOME: home }) {
  const list = async () => ({ agents: [agent], isComplete: true });
  const { readings } = await readAgents({ list, exec: noExec, ...mngr }, [of], env);
  return readings.get(id)?.output;
}

const here = () => output(record("chat", data), {});

/** The same agent with its own machine: read by the command that mngr runs there. */
function away() {
  const host = { id: "host-1", name: "chat-1", provider_name: "docker", snapshots: [] };
  const env = { PATH: process.env["PATH"], MNGR_AGENT_ID: id, MNGR_AGENT_STATE_DIR: state, CHANGELING_DATA: data };
  return output(recordAway("chat"), {
    list: async () => ({ agents: [{ ...agent, host }], isComplete: true }),
    async exec(_, command) {
      const options = { env, encoding: "utf8", stdio: "pipe", maxBuffer: 4_000_000, timeout: 10_000 } as const;
      const stdout = execFileSync("sh", ["-c", command], options).replace(/\n$/, "");
      return { results: [{ agent: "chat", stdout, stderr: "", success: true }], failed: [] };
    },
  });
}

/** What is read, here and on another machine alike. */
async function read() {
  const [one, other] = [await here(), await away()];
  expect(one).toEqual(other);
  return one;
}

const write = (file: string, text: string | Buffer) => writeFileSync(join(state, file), text);
const page = () => join(data, "index.html");

it.each([
  ["a message", "Three notes are new.\n", "Three notes are new."],
  ["several lines, as one", "One\r\n\n  two\n", "One two"],
  ["a long one, cut between characters", "😀".repeat(150) + "a".repeat(300), `${"😀".repeat(150)}${"a".repeat(50)}…`],
  ["a very long one", "é".repeat(100_000), `${"é".repeat(200)}…`],
  ["escape sequences", "\u001b[31mred\u001b[0m\n", "red"],
  ["what looks like another part", "x\n=== page\n<h1>y</h1>\n=== secret\n", "x === page <h1>y</h1> === secret"],
  ["a carriage return", "one\rtwo\u2028three", "one two three"],
  ["nothing but space", " \n\n", undefined],
])("reads the last message: %s", async (_, text, expected) => {
  write("last-message", text);
  writeFileSync(page(), "<p>Its page</p>");
  expect(await read()).toMatchObject({ lastMessage: expected, page: "<p>Its page</p>", secret: undefined });
});

it("returns nothing if nothing is reported", async () => {
  const registered = { servers: new Map(), lines: 0, junk: 0, refused: new Map() };
  expect(await read()).toEqual({ registered, lastMessage: undefined, page: undefined, secret: undefined });
});

const secret = "s-_".repeat(10);
it.each([
  ["alone", secret, secret],
  ["in the first line", `${secret}\nmore\n`, secret],
  ["in a later line", `\n${secret}\n`, undefined],
  ["too short", "s".repeat(21), undefined],
  ["too long", "s".repeat(129), undefined],
  ["longer than what is read", "s".repeat(1000), undefined],
  ["with other characters", `${secret} `, undefined],
])("reads the secret: %s", async (_, text, expected) => {
  write("forwarding-secret", text);
  expect(await read()).toMatchObject({ secret: expected });
});

it.each([
  ["of the greatest size", "p".repeat(1_000_000), true],
  ["of the greatest size, in bytes", `${"é".repeat(500_000)}`, true],
  ["that is too long", "p".repeat(1_000_001), false],
  ["that is too long in bytes", `${"é".repeat(500_000)}e`, false],
  ["that is blank", " \n\n", false],
  ["that ends with its lines", "<p>\n</p>", true],
  ["with what looks like other parts", "=== agent x\n=== secret\n", true],
])("shows, or does not, a page %s", async (_, text, isShown) => {
  writeFileSync(page(), text);
  expect((await read())?.page).toBe(isShown ? text.trimEnd() : undefined);
});

describe("the registrations", () => {
  const events = "events/services/events.jsonl";
  const at = (port: number) => ({ server: "web", url: `http://127.0.0.1:${port}` });
  const lines = (...each: object[]) => each.map((line) => `${JSON.stringify(line)}\n`).join("");
  const ports = async () => [...((await read())?.registered.servers.values() ?? [])].map((url) => new URL(url).port);

  it("are those of all three files, with the invalid lines counted", async () => {
    write(events, `${lines({ type: "service_registered", service: "api", url: "http://127.0.0.1:1/" })}what?`);
    write("logs/servers.jsonl", `\r\n${lines({ server: "two", url: "http://127.0.0.1:2/" })}\xff\n`);
    write("logs/agent_server.jsonl", lines({ port: 3 }, { server: "far", url: "http://10.0.0.1/" }));
    const found = await read();
    expect(found?.registered).toMatchObject({ lines: 3, junk: 2, refused: new Map([["far", "http://10.0.0.1/"]]) });
    expect([...(found?.registered.servers.keys() ?? [])].toSorted()).toEqual(["api", "two", "web"]);
  });

  it("without a time are as old as the last write of their file, to the millisecond", async () => {
    write("logs/servers.jsonl", lines(at(1)));
    const taken = (ms: number) =>
      lines({
        type: "service_deregistered",
        service: "web",
        timestamp: new Date(1_795_240_800_000 + ms).toISOString(),
      });
    for (const [written, ms] of [
      ["1795240800.499999999", 499],
      ["1795240800.500000000", 500],
      ["1795240800.999999999", 999],
    ] as const) {
      execFileSync("touch", ["--date", `@${written}`, join(state, "logs/servers.jsonl")]);
      // At the same time, the later of the files wins.
      write(events, taken(ms));
      expect(await ports(), written).toEqual(["1"]);
      write(events, taken(ms + 1));
      expect(await ports(), written).toEqual([]);
    }
  });

  it("are whole lines of the last 256 KB of a long file", async () => {
    write("logs/servers.jsonl", `${lines(at(1)).trim()}${" ".repeat(500)}\n`.repeat(1000) + lines(at(2)));
    write("logs/agent_server.jsonl", "x".repeat(300_000));
    const found = await read();
    expect(found?.registered.servers.get("web")).toBe("http://127.0.0.1:2/");
    expect(found?.registered.lines).toBeGreaterThan(400);
    expect(found?.registered.lines).toBeLessThan(600);
    expect(found?.registered.junk).toBe(0);
  });

  it("may be in a linked file, as may the page", async () => {
    writeFileSync(join(home, "aside.jsonl"), lines(at(7)));
    writeFileSync(join(home, "aside.html"), "<p>linked</p>");
    symlinkSync(join(home, "aside.jsonl"), join(state, "logs/servers.jsonl"));
    symlinkSync(join(home, "aside.html"), page());
    expect(await ports()).toEqual(["7"]);
    expect((await read())?.page).toBe("<p>linked</p>");
  });
});

/** All files that are read. */
const files = () => [
  ...["events/services/events.jsonl", "logs/servers.jsonl", "logs/agent_server.jsonl"].map((file) => join(state, file)),
  ...[join(state, "forwarding-secret"), join(state, "last-message"), page()],
];
const nothing = { registered: { servers: new Map(), lines: 0, junk: 0, refused: new Map() } };

it.each([
  ["FIFOs", (path: string) => void execFileSync("mkfifo", [path])],
  ["folders", (path: string) => void mkdirSync(path)],
  ["devices", (path: string) => symlinkSync("/dev/zero", path)],
  ["links to themselves", (path: string) => symlinkSync(path, path)],
  ["links to nothing", (path: string) => symlinkSync(join(home, "nothing"), path)],
])("reads nothing from %s, and does not wait for them", async (_, make) => {
  for (const path of files()) make(path);
  expect(await read()).toEqual(nothing);
});

describe("of an agent on this machine", () => {
  const line = `${JSON.stringify({ server: "web", url: "http://127.0.0.1:1/" })}\n`;

  it("nothing is read from this process's environment", async () => {
    for (const path of files()) symlinkSync("/proc/self/environ", path);
    expect(await here()).toEqual(nothing);
  });

  it("nothing is read from unreadable files", async ({ skip }) => {
    if (process.getuid?.() === 0) skip("root can read every file");
    for (const path of files()) writeFileSync(path, line, { mode: 0o000 });
    expect(await here()).toEqual(nothing);
  });

  it("no more than the limits is read of huge files", async () => {
    for (const path of files()) {
      writeFileSync(path, "");
      truncateSync(path, 2 ** 33);
    }
    appendFileSync(join(state, "logs/servers.jsonl"), `\n${line}`);
    const found = await here();
    expect(found?.registered).toMatchObject({ lines: 1, servers: new Map([["web", "http://127.0.0.1:1/"]]) });
    expect(found).toMatchObject({ page: undefined, secret: undefined, lastMessage: undefined });
  });

  it("the files are those of its profile's mngr, and of the host dir that is set", async () => {
    write("logs/servers.jsonl", line);
    const servers = async (of: Partial<WebRecord>, env: NodeJS.ProcessEnv) =>
      (await output({ ...record("chat", data), ...of }, {}, env))?.registered.servers.size;
    const elsewhere = join(home, "elsewhere");
    expect(await servers({}, { HOME: home })).toBe(1);
    expect(await servers({}, { HOME: elsewhere, MNGR_HOST_DIR: join(home, ".mngr") })).toBe(1);
    expect(await servers({}, { HOME: home, MNGR_HOST_DIR: elsewhere })).toBeUndefined();
    expect(await servers({}, { HOME: home, MNGR_ROOT_NAME: "other" })).toBeUndefined();
    expect(await servers({ mngrProfile: "own" }, { HOME: home })).toBeUndefined();
    mkdirSync(join(home, ".mngr-own", "agents", id, "logs"), { recursive: true });
    expect(await servers({ mngrProfile: "own" }, { HOME: home })).toBe(0);
  });

  it("nothing is read once mngr no longer has it, or if mngr fails", async () => {
    write("logs/servers.jsonl", line);
    const listing = (isComplete: boolean) =>
      output(record("chat", data), { list: async () => ({ agents: [], isComplete }) });
    expect(await listing(true)).toBeUndefined();
    expect((await listing(false))?.registered.servers.size).toBe(1);
    const fails = output(record("chat", data), { list: () => Promise.reject(new MngrError("it fails")) });
    await expect(fails).rejects.toThrow("it fails");
  });
});
