import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  parseServersOutput,
  readServersCommand,
  registeredServers,
  type ServerFiles,
  socketPathOf,
} from "../../../components/web/agent/servers.ts";

const none: ServerFiles = { services: "", servers: "", agentServer: "" };
const lines = (...each: (object | string)[]) =>
  each.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join("");
const found = (files: Partial<ServerFiles>) => Object.fromEntries(registeredServers({ ...none, ...files }).servers);

describe("registeredServers", () => {
  it("reads each of the three forms", () => {
    const envelope = { event_id: "evt-1", source: "services", timestamp: "2026-11-21T06:00:00.123456789Z", more: {} };
    const event = { type: "service_registered", service: "web", url: "http://127.0.0.1:9100", ...envelope };
    expect(found({ services: lines(event) })).toEqual({ web: "http://127.0.0.1:9100/" });
    expect(found({ servers: lines({ server: "api", url: "https://localhost:1/x", pid: 3 }) })).toEqual({
      api: "https://localhost:1/x",
    });
    expect(found({ agentServer: lines({ port: 9100 }, { port: "9101" }) })).toEqual({ web: "http://127.0.0.1:9101/" });
  });

  it("later lines override earlier ones, and withdrawn servers are removed", () => {
    const services = lines(
      { type: "service_registered", service: "web", url: "http://127.0.0.1:1" },
      { type: "service_registered", service: "api", url: "http://127.0.0.1:2" },
      { type: "service_registered", service: "web", url: "http://127.0.0.1:3" },
      { type: "service_deregistered", service: "api" },
      { type: "service_deregistered", service: "never" },
    );
    expect(found({ services })).toEqual({ web: "http://127.0.0.1:3/" });
    expect(registeredServers({ ...none, services }).lines).toBe(3);
  });

  it("between files, the time decides, then the files' order", () => {
    const at = (url: string, timestamp?: string) => ({ server: "web", url, timestamp });
    const early = "2026-11-21T06:00:00Z";
    const late = "2026-11-21T07:00:00+00:00";
    const merged = (services: object, servers: object) =>
      found({ services: lines(services), servers: lines(servers) })["web"];
    const event = (timestamp?: string) => ({
      type: "service_registered",
      service: "web",
      url: "http://127.0.0.1:2",
      timestamp,
    });
    expect(merged(event(late), at("http://127.0.0.1:1", early))).toBe("http://127.0.0.1:2/");
    expect(merged(event(early), at("http://127.0.0.1:1", late))).toBe("http://127.0.0.1:1/");
    expect(merged(event(early), at("http://127.0.0.1:1"))).toBe("http://127.0.0.1:1/");
    expect(merged(event(), at("http://127.0.0.1:1", early))).toBe("http://127.0.0.1:1/");
  });

  it("counts and skips invalid lines", () => {
    const junk = [
      "{",
      "null",
      '"web"',
      { server: "web" },
      { server: "web", url: "ftp://h" },
      { server: "web", url: "nonsense" },
      { server: "web", url: "javascript:alert(1)" },
      { server: "a\u0007b", url: "http://h" },
      { server: "x".repeat(65), url: "http://h" },
      { server: "", url: "http://h" },
      { port: 0 },
      { port: 65536 },
      { port: true },
      { type: "service_probed", service: "web", url: "http://h" },
    ];
    expect(registeredServers({ ...none, servers: lines(...junk, "", "  ", { port: 1 }) })).toEqual({
      servers: new Map([["web", "http://127.0.0.1:1/"]]),
      lines: 1,
      junk: junk.length,
      refused: new Map(),
    });
  });

  it.each([
    "http://169.254.169.254/latest/meta-data/",
    "http://[fe80::1]/",
    "http://10.0.0.1:8080/",
    "http://router.lan/",
    "https://example.com/",
    "http://127.0.0.1.example.com/",
    "http://127.0.0.1:1@example.com/",
    "http://[::ffff:10.0.0.1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://agent-1.localhost.example/",
  ])("rejects %s, which is not on its own loopback, and keeps the previous registration", (url) => {
    const servers = lines({ server: "web", url: "http://127.0.0.1:1" }, { server: "web", url });
    expect(registeredServers({ ...none, servers })).toEqual({
      servers: new Map([["web", "http://127.0.0.1:1/"]]),
      lines: 1,
      junk: 0,
      refused: new Map([["web", new URL(url).href]]),
    });
  });

  it.each(["http://127.255.0.9:1/", "http://localhost:2/", "https://[::1]:3/", "http://2130706433:4/"])(
    "accepts %s, which is on loopback",
    (url) => expect(found({ servers: lines({ server: "web", url }) })).toEqual({ web: new URL(url).href }),
  );

  it("accepts a Unix socket by its absolute path", () => {
    for (const url of ["unix:/run/me/web.sock", "unix:///run/me/web.sock"]) {
      const { web = "" } = found({ servers: lines({ server: "web", url }) });
      expect(socketPathOf(new URL(web))).toBe("/run/me/web.sock");
    }
    const no = ["unix:web.sock", "unix:", "unix:/", "unix://host/web.sock", "unix:/a?b", "unix:/%00", "unix:/%zz"];
    for (const url of [
      ...no,
      "unix:/a:b",
      "unix:/$%7BHOME%7D/a",
      "unix:/%25d/a",
      `unix:/${"x".repeat(103)}`,
      "unix:/a%2F..%2Fb",
    ])
      expect([url, found({ servers: lines({ server: "web", url }) })]).toEqual([url, {}]);
  });

  it("parses a bounded number of lines, the last ones", () => {
    const tiny = "{}\n".repeat(80_000);
    const { servers, junk } = registeredServers({
      services: `${lines({ server: "early", url: "http://127.0.0.1:1/" })}${tiny}`,
      servers: `${tiny}${lines({ server: "late", url: "http://127.0.0.1:2/" })}`,
      agentServer: tiny,
    });
    expect([...servers.keys(), junk]).toEqual(["late", 5999]);
  });

  it("keeps a bounded number of servers, each with a URL of bounded length", () => {
    const many = Array.from({ length: 1000 }, (_, i) => ({ server: `s${i}`, url: `http://127.0.0.1:${i + 1}/` }));
    const elsewhere = many.map(({ server }) => ({ server, url: `http://example.com/${"x".repeat(1000)}` }));
    const { servers, refused } = registeredServers({ ...none, services: lines(...many), servers: lines(...elsewhere) });
    expect([servers.size, refused.size]).toEqual([64, 64]);
    expect(Math.max(...[...refused.values()].map(({ length }) => length))).toBe(200);
    expect(found({ servers: lines({ server: "web", url: `http://127.0.0.1/${"x".repeat(2048)}` }) })).toEqual({});
  });

  it("an agent that listens on all addresses is reached on its own machine", () => {
    const servers = lines({ server: "four", url: "http://0.0.0.0:1/a" }, { server: "six", url: "http://[::]:2" });
    expect(found({ servers })).toEqual({ four: "http://127.0.0.1:1/a", six: "http://[::1]:2/" });
  });

  it("within one file, the order of the lines is kept, whatever their times", () => {
    const line = fc.record(
      {
        server: fc.constantFrom("a", "b"),
        url: fc.nat(65535).map((port) => `http://127.0.0.1:${port}/`),
        timestamp: fc.oneof(
          fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
          fc.string(),
          fc.integer(),
        ),
      },
      { requiredKeys: ["server", "url"] },
    );
    fc.assert(
      fc.property(fc.array(line), fc.constantFrom("services", "servers", "agentServer"), (each, file) => {
        const known = each.filter(({ url }) => URL.canParse(url));
        const expected = Object.fromEntries(known.map(({ server, url }) => [server, new URL(url).href]));
        expect(found({ [file]: lines(...known) })).toEqual(expected);
      }),
    );
  });

  it("never throws, and counts every line", () => {
    const text = fc.array(fc.oneof(fc.string(), fc.json())).map((each) => each.join("\n"));
    fc.assert(
      fc.property(text, text, text, (services, servers, agentServer) => {
        const { lines: registrations, junk } = registeredServers({ services, servers, agentServer });
        const all = [services, servers, agentServer].flatMap((each) => each.split("\n")).filter((each) => each.trim());
        expect(registrations + junk).toBe(all.length);
      }),
    );
  });
});

describe("readServersCommand", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "servers command "));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const read = (env: NodeJS.ProcessEnv = { MNGR_AGENT_STATE_DIR: folder }) =>
    parseServersOutput(execFileSync("sh", ["-euc", readServersCommand], { env, encoding: "utf8" }));

  it("prints the existing files", () => {
    expect(read()).toEqual({ services: "\n", servers: "\n", agentServer: "" });
    write("events/services/events.jsonl", "one\ntwo");
    write("logs/servers.jsonl", "three\n");
    write("logs/agent_server.jsonl", "four\n");
    expect(read()).toEqual({
      ...{ services: "one\ntwo\n", servers: "three\n\n", agentServer: "four\n" },
      changedAt: { services: expect.any(Number), servers: expect.any(Number), agentServer: expect.any(Number) },
    });
  });

  it("prints when each was changed, so that a server withdrawn after that is removed", () => {
    const taken = { type: "service_deregistered", service: "web" };
    const at = (seconds: number) => new Date(Date.UTC(2026, 10, 21, 6, 0, seconds)).toISOString();
    write("logs/servers.jsonl", lines({ server: "web", url: "http://127.0.0.1:1" }));
    const changeAt = (seconds: number) => {
      const time = new Date(Date.UTC(2026, 10, 21, 6, 0, seconds));
      utimesSync(join(folder, "logs/servers.jsonl"), time, time);
    };
    changeAt(10);
    write("events/services/events.jsonl", lines({ ...taken, timestamp: at(9) }));
    expect([...registeredServers(read()).servers.keys()]).toEqual(["web"]);
    write("events/services/events.jsonl", lines({ ...taken, timestamp: at(11) }));
    expect([...registeredServers(read()).servers.keys()]).toEqual([]);
    // Without a time it is as late as the last change of its own file.
    write("events/services/events.jsonl", lines(taken));
    expect([...registeredServers(read()).servers.keys()]).toEqual([]);
    // It was started once more.
    write(
      "logs/servers.jsonl",
      lines({ server: "web", url: "http://127.0.0.1:1" }, { server: "web", url: "http://127.0.0.1:2" }),
    );
    expect(registeredServers(read()).servers.get("web")).toBe("http://127.0.0.1:2/");
  });

  it.each([
    ["1795240800.5N", undefined],
    ["1795240800.500000000", 1_795_240_800_500],
    ["1795240800.N", 1_795_240_800_999],
    ["1795240800.", 1_795_240_800_999],
    ["", undefined],
  ])("reads %j as the time of a change", (text, ms) => {
    const { servers, changedAt } = parseServersOutput(`--- logs/servers.jsonl\n=== changed ${text}\nline\n`);
    expect(servers).toBe("line\n");
    expect(changedAt?.servers).toBe(ms);
  });

  it("supports the state folder's older variable", () => {
    write("logs/agent_server.jsonl", '{"port":1}\n');
    expect(read({ MNG_AGENT_STATE_DIR: folder }).agentServer).toBe('{"port":1}\n');
  });

  it("prints whole lines of the last 256 KB of a long file", () => {
    const line = `${"x".repeat(99)}\n`;
    write("logs/servers.jsonl", `${line.repeat(5000)}last\n`);
    const { servers } = read();
    expect(servers.length).toBeLessThan(262_144);
    expect(servers.length).toBeGreaterThan(261_000);
    expect(servers.split("\n").slice(0, 2)).toEqual([line.trim(), line.trim()]);
    expect(servers.trimEnd().endsWith("last")).toBe(true);
  });
});
