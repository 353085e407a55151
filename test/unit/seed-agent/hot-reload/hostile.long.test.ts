import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fences } from "../../../support/seed-agent/fences.ts";
import { aRequest, given, handler, run } from "../../../support/seed-agent/versions.ts";

/** The code of a call that ends with its process, and the reason. */
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

/** The code of a call that fails without ending the process, with the error's code and message. */
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

describe.for(await fences())("hostile code behind $name", (fence) => {
  test.for(stopped)("is stopped: %s", async ([, body, reason]) => {
    await using host = await run(handler(body), fence, { callMilliseconds: 1500, memoryMb: 96 });
    const error = await host.handle(aRequest(), given()).catch((thrown) => thrown);
    expect(error.message).toMatch(reason);
  });

  test("can't use more memory with buffers than with objects", async () => {
    const body =
      "const all = []; for (let n = 0; n < 200; n++) { all.push(new Uint8Array(16 * 1024 * 1024).fill(1)); await null; } return { status: 200, body: String(all.length) }";
    await using host = await run(handler(body), fence, { memoryMb: 96 });
    const error = await host.handle(aRequest(), given()).catch((thrown) => thrown);
    expect(error.message).toMatch(/memory|allocation failed|SIG/);
  });

  test("gets an error for an answer that is not allowed, and can continue", async () => {
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

  test("ends its own process by an unhandled rejection", async () => {
    await using host = await run(
      handler("setTimeout(() => { Promise.reject(new Error('later')) }, 50); return { status: 200 }"),
      fence,
    );
    await host.handle(aRequest(), given());
    expect((await host.ended).reason).toMatch(/it ended with code 1: Error: later/);
  });

  test("changes only its own answers by poisoned prototypes", async () => {
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

  test("can't change its limits", async () => {
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
});
