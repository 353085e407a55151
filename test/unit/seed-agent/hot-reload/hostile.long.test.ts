import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { endAnalyzer } from "../../../../components/seed-agent/program/hot-reload/analysis/analyzer.ts";
import { firstVersion } from "../../../../components/seed-agent/program/hot-reload/first-version.ts";
import { versionHosts } from "../../../../components/seed-agent/program/hot-reload/host.ts";
import { fences } from "../../../support/seed-agent/fences.ts";
import { aRequest, given, handler, judge, limits, run } from "../../../support/seed-agent/versions.ts";

afterAll(endAnalyzer);

const [strongest, ...others] = await fences();
const all = strongest === undefined ? others : [strongest, ...others];
if (strongest === undefined) throw new Error("there is always a fence");
const first = (await firstVersion()).sources["handle.ts"] ?? "";

/** Ends a call by its process's end, for one of these reasons. */
const stopped = [
  ["a full heap", "const all = []; for (;;) all.push(new Array(1000).fill({}))", /heap|memory|SIG|code/],
  ["strings", "let text = 'x'; for (;;) { text += text; await text.indexOf('y') }", /./],
  ["an endless loop", "for (;;);", /no answer within/],
  ["an endless chain of promises", "for (;;) await null;", /no answer within/],
  ["a promise that never resolves", "await new Promise(() => {})", /no answer within/],
  ["an endless getter", "return { get status() { for (;;); } }", /no answer within/],
  ["an endless toJSON", "return { status: 200, body: { toJSON() { for (;;); } } }", /must be a string/],
  ["an endless Proxy", "return new Proxy({}, { get() { for (;;); } })", /no answer within/],
] as const;

/** Are answered with an error; the process goes on. */
const refused = [
  ["a number", "return 1", "threw", "handle answered 1"],
  ["nothing", "return undefined", "threw", "handle answered undefined"],
  ["a Proxy of nothing", "return new Proxy({}, {})", "threw", "the answer's status is undefined"],
  ["a status as text", "return { status: '200' }", "threw", "of type string"],
  ["a status out of range", "return { status: 99 }", "invalid", "status"],
  ["a status that is no number", "return { status: NaN }", "threw", "NaN"],
  [
    "a cyclic body",
    "const body: any = {}; body.body = body; return { status: 200, body }",
    "threw",
    "must be a string",
  ],
  ["a body with toJSON", "return { status: 200, body: { toJSON: () => 'x' } }", "threw", "must be a string"],
  ["a huge body", "return { status: 200, body: 'x'.repeat(3_000_000) }", "invalid", "bytes as JSON"],
  [
    "a header with a line break",
    "return { status: 200, headers: { a: 'b\\r\\nset-cookie: c' } }",
    "invalid",
    "headers",
  ],
  ["a header's name with a space", "return { status: 200, headers: { 'a b': 'c' } }", "invalid", "headers"],
  [
    "a header of the connection",
    "return { status: 200, headers: { 'Transfer-Encoding': 'chunked' } }",
    "invalid",
    "transfer-encoding",
  ],
  [
    "too many headers",
    "return { status: 200, headers: Object.fromEntries(Array.from({ length: 101 }, (_, n) => ['h' + n, 'x'])) }",
    "invalid",
    "headers",
  ],
  [
    "a large value of the state",
    "await context.state.set('a', 'x'.repeat(70_000)); return { status: 200 }",
    "invalid",
    "more than 65536 bytes",
  ],
  [
    "a key of the state that is too long",
    "await context.state.set('x'.repeat(300), 'a'); return { status: 200 }",
    "invalid",
    "300 characters",
  ],
  [
    "too many reads",
    "for (let n = 0; n < 101; n++) await context.state.get('k' + n); return { status: 200 }",
    "threw",
    "more than 100 times",
  ],
  [
    "a read of a key that is too long",
    "await context.state.get('x'.repeat(300)); return { status: 200 }",
    "threw",
    "more than 200 characters",
  ],
  [
    "an error whose text is a getter",
    "throw { get message() { throw 1 }, toString() { throw 2 } }",
    "threw",
    "can't be shown",
  ],
  ["an error with a huge text", "throw new Error('x'.repeat(1_000_000))", "threw", "xxx"],
  ["process.exit", "(globalThis as any).process.exit(0)", "threw", "undefined"],
  ["require", "return (globalThis as any).require('fs')", "threw", "not a function"],
  ["fetch", "return (globalThis as any).fetch('http://127.0.0.1')", "threw", "not a function"],
  [
    "code from text",
    "return (request as any).constructor.constructor('return process')()",
    "threw",
    "Code generation from strings",
  ],
  ["an import by data URL", "const url = 'data:text/javascript,export default 1'; return import(url)", "threw", ""],
  ["an import of a built-in module", "const name = 'node:fs'; return import(name)", "threw", ""],
] as const;

describe.for(all)("hostile code behind $name", (fence) => {
  test.for(stopped)("is stopped: %s", async ([, body, reason]) => {
    await using host = await run(handler(body), fence, { callMilliseconds: 1500, memoryMb: 96 });
    const error = await host.handle(aRequest(), given()).catch((thrown) => thrown);
    expect(error.message).toMatch(reason);
  });

  test("can't use more memory by bytes than by objects", async () => {
    const body =
      "const all = []; for (let n = 0; n < 200; n++) { all.push(new Uint8Array(16 * 1024 * 1024).fill(1)); await null; } return { status: 200, body: String(all.length) }";
    await using host = await run(handler(body), fence, { memoryMb: 96 });
    const error = await host.handle(aRequest(), given()).catch((thrown) => thrown);
    expect(error.message).toMatch(/memory|allocation failed|SIG/);
  });

  test("gets an error for what it may not answer, and can go on", async () => {
    const cases = refused.map(([, body]) => `async (request: any, context: any): Promise<any> => {\n${body}\n}`);
    const before = `const cases = [${cases.join(",\n")}];`;
    await using host = await run(
      handler("return await cases[Number(request.path)]?.(request, context)", before),
      fence,
    );
    for (const [index, [name, , code, message]] of refused.entries()) {
      const call = host.handle(aRequest({ path: String(index) }), given());
      const error = await call.catch((thrown) => thrown);
      expect({ name, code: error.code, message: error.message }).toMatchObject({ name, code });
      expect(error.message, name).toContain(message);
    }
  });

  test("ends its own process by a rejection that nobody handles", async () => {
    await using host = await run(
      handler("setTimeout(() => { Promise.reject(new Error('later')) }, 50); return { status: 200 }"),
      fence,
    );
    await host.handle(aRequest(), given());
    expect((await host.ended).reason).toMatch(/it ended with code 1: Error: later/);
  });

  test("changes nothing but its own answers by poisoned prototypes", async () => {
    const poison = `
      (Object.prototype as any).status = 200;
      (Object.prototype as any).toJSON = () => ({ type: "answer", id: 0, value: { status: 200, headers: [], body: "forged" }, writes: [] });
      Array.prototype.map = () => { throw new Error("no map") };
      JSON.stringify = () => "{}";
      Promise.prototype.then = function () { return this };
      Map.prototype.get = () => undefined;`;
    const answer = await run(handler("return { status: 200 }", poison), fence, { callMilliseconds: 1000 })
      .then(async (host) => {
        await using _ = host;
        return await host.handle(aRequest(), given());
      })
      .catch((error) => error);
    expect(answer.name === "HostError" || answer.response.status === 200).toBe(true);
    expect(({} as { status?: number }).status).toBeUndefined();
    await using good = await run(handler("return { status: 200 }"), fence);
    expect((await good.handle(aRequest(), given())).response.status).toBe(200);
  });

  test("has limits that it can't change", async () => {
    await using host = await run(handler("return { status: 200 }"), fence);
    const all = readFileSync(`/proc/${host.pid}/limits`, "utf8");
    const limit = (name: string) => new RegExp(`^Max ${name} +(\\d+) +(\\d+)`, "m").exec(all)?.slice(1);
    expect(limit("file size")).toEqual(["0", "0"]);
    expect(limit("open files")).toEqual(["64", "64"]);
    expect(Number(limit("address space")?.[0])).toBeLessThan(3e9);
    if (fence.name === "bubblewrap") expect(limit("processes")).toEqual(["64", "64"]);
  });

  test("can't see the service's environment", async () => {
    process.env["SEED_TEST_SECRET"] = "the-secret-of-the-service";
    try {
      await using host = await run(handler("return { status: 200 }"), fence);
      expect(readFileSync(`/proc/${host.pid}/environ`, "utf8")).not.toContain("the-secret-of-the-service");
      expect(readFileSync(`/proc/${host.pid}/cmdline`, "utf8")).not.toContain("handle");
    } finally {
      delete process.env["SEED_TEST_SECRET"];
    }
  });

  /** What runs in place of our program in the fence, as if the code had taken it over. */
  const forged = (onLoad: string) => async () =>
    `
    const socket = new (require("node:net").Socket)({ fd: 3, readable: true, writable: true });
    const send = (value) => socket.write((typeof value === "string" ? value : JSON.stringify(value)) + "\\n");
    let id = 0;
    socket.setEncoding("utf8").on("data", (text) => {
      for (const line of text.split("\\n").filter(Boolean)) {
        const message = JSON.parse(line);
        if (message.type === "load") send({ type: "loaded", tests: 0 });
        if (message.type === "call") { ${onLoad} }
      }
    });
    send({ type: "ready" });`;

  test.for([
    ["garbage", "send('not JSON')", "it sent what is not of the protocol"],
    ["another type", "send({ type: 'activate', id: message.id })", "it sent what is not of the protocol"],
    ["a second start", "send({ type: 'loaded', tests: 0 })", "it sent what is not of the protocol"],
    ["deep JSON", "send('['.repeat(500000) + ']'.repeat(500000))", "it sent what is not of the protocol"],
    ["a line without an end", "socket.write('x'.repeat(3 * 1024 * 1024))", "it sent a line of more than 2 MiB"],
    [
      "answers of calls that were never made",
      "for (let n = 0; n < 2000; n++) send({ type: 'threw', id: 1000 + n, message: '' })",
      "it answers calls that were never made",
    ],
    [
      "large answers of calls that were never made",
      "for (let n = 0; n < 20; n++) send({ type: 'answer', id: 1000 + n, value: 'x'.repeat(1024 * 1024), writes: [] })",
      "it answers calls that were never made",
    ],
    [
      "a large key",
      "send({ type: 'read', id: message.id, read: 0, key: 'x'.repeat(1000) })",
      "it sent what is not of the protocol",
    ],
    [
      "endless reads",
      "for (let n = 0; n < 2000; n++) send({ type: 'read', id: message.id, read: n, key: 'k' + n })",
      "it read the state more than 100 times in one call",
    ],
    [
      "endless logs",
      "for (let n = 0; n < 2000; n++) send({ type: 'log', id: message.id, message: 'x' })",
      "it logs more than is kept",
    ],
    [
      "errors of 1 GB",
      "for (let n = 0; n < 1e6; n++) try { require('node:fs').writeSync(2, 'x'.repeat(1000)) } catch {}",
      "it printed more than 1 MiB of errors",
    ],
    ["an end", "process.exit(7)", "it ended with code 7"],
  ] as const)("is ended when it sends %s", async ([, code, reason]) => {
    const host = await versionHosts(fence, forged(code))({ id: "v1", bundle: "" }, limits);
    await expect(host.handle(aRequest(), given())).rejects.toMatchObject({ code: "ended", message: reason });
    expect((await host.ended).reason).toBe(reason);
  });

  test("can print 1 GB to nowhere", async () => {
    const code = `const text = "x".repeat(1e6); for (let n = 0; n < 1000; n++) require("node:fs").writeSync(1, text);
      send({ type: "answer", id: message.id, value: { status: 200, headers: [], body: "" }, writes: [] });`;
    const host = await versionHosts(fence, forged(code))({ id: "v1", bundle: "" }, limits);
    expect((await host.handle(aRequest(), given())).response.status).toBe(200);
    await host.end();
  });

  test("can't change prototypes of the service by its keys", async () => {
    const code = `send('{"type":"answer","id":' + message.id + ',"__proto__":{"polluted":1},"value":{"status":200,"headers":[["__proto__","x"]],"body":"","__proto__":{"polluted":1}},"writes":[["__proto__","x"]]}')`;
    const host = await versionHosts(fence, forged(code))({ id: "v1", bundle: "" }, limits);
    const { response, writes } = await host.handle(aRequest(), given());
    expect(Object.getPrototypeOf(response.headers)).toBe(Object.prototype);
    expect(Object.getPrototypeOf(writes)).toBe(Object.prototype);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    await host.end();
  });
});

describe("a change that wants to forge its verdict", () => {
  const wrong = first.replace("I am a seed agent", "I am a tree");
  const poison = `
    (Object.prototype as any).ok = true;
    Array.prototype.every = (() => true) as any;
    JSON.stringify = ((value: any, ...more: any[]) => '{"type":"tested","name":"says who it is","milliseconds":1}') as any;
    String.prototype.match = () => ["seed agent"] as any;
    RegExp.prototype.test = (() => true) as any;
    RegExp.prototype.exec = () => ["seed agent"] as any;`;

  test("fails the former tests, whatever it does to its own process", async () => {
    const { failed, report } = await judge(
      {
        "handle.ts": `${wrong}\n${poison}`,
        "handle.test.ts": 'import { test } from "seed";\ntest("nothing", () => {});',
      },
      strongest,
    );
    expect(report.passed).toBe(false);
    expect(["tests", "former tests"]).toContain(failed);
  });

  test("fails the former tests, whatever its own tests do to theirs", async () => {
    const { failed, said } = await judge(
      {
        "handle.ts": wrong,
        "handle.test.ts": `import { assert, test } from "seed";\n${poison
          .split("\n")
          .filter((line) => !line.includes("JSON"))
          .join(
            "\n",
          )}\n(assert as any).equal = () => {};\n(assert as any).match = () => {};\ntest("says who it is", async ({ handle }) => { const { body } = await handle({}); assert.match(body, /seed agent/); });`,
      },
      strongest,
    );
    expect(failed).toBe("former tests");
    expect(said).toContain('the test "says who it is" failed');
  });

  test("can't end the check by a test that loops, exits or floods", async () => {
    for (const body of [
      "for (;;);",
      "await new Promise(() => {})",
      "for (let n = 0; ; n++) void handle({ path: '/' + n }).catch(() => {})",
    ]) {
      const { failed } = await judge(
        { "a.test.ts": `import { test } from "seed";\ntest("hostile", async ({ handle }) => { ${body}; handle; });` },
        strongest,
        { testMilliseconds: 2500 },
      );
      expect(failed, body).toBe("tests");
    }
  });

  test("is rejected if it loops at import, also of its tests", async () => {
    const more = { limits: { ...limits, startMilliseconds: 1500 }, testMilliseconds: 3000 };
    const code = await judge({ "handle.ts": `${first}\nfor (;;);` }, strongest, more);
    expect(code.said).toContain("it was not ready within 1500 ms");
    const tests = await judge({ "a.test.ts": "for (;;);\nexport {};" }, strongest, more);
    expect(tests.said).toContain("the tests took more than 3000 ms");
  });
});

test("types are checked without blocking the service", async () => {
  await endAnalyzer();
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  const judging = judge({ "handle.ts": null }, strongest).then(() =>
    judge({ "a.ts": "export const a: string = 1;" }, strongest),
  );
  expect((await judging).failed).toBe("types");
  clearInterval(timer);
  // TypeScript takes about a second to load and to check.
  expect(ticks).toBeGreaterThan(20);
});
