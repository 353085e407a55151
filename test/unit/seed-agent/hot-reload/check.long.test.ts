import { afterAll, describe, expect, test } from "vitest";
import type { Recording } from "../../../../components/seed-agent/program/domain.ts";
import { endAnalyzer } from "../../../../components/seed-agent/program/hot-reload/analysis/analyzer.ts";
import { firstVersion } from "../../../../components/seed-agent/program/hot-reload/first-version.ts";
import { bubblewrap, permission } from "../../../support/seed-agent/fences.ts";
import { aRequest, judge } from "../../../support/seed-agent/versions.ts";

const fence = (await bubblewrap()) ?? permission;
const { sources: first } = await firstVersion();
const handle = first["handle.ts"] ?? "";

afterAll(endAnalyzer);

const recorded = (more: Partial<Recording> = {}): Recording => ({
  ...{ id: "r1", at: "2026-01-01T00:00:00.000Z", version: "v0", now: 0, seed: 1, state: {}, milliseconds: 1 },
  request: aRequest(),
  response: { status: 200, headers: {}, body: "I am a seed agent.\n" },
  ...more,
});

test("passes a good change", async () => {
  const { report, built, said } = await judge(
    {
      "handle.ts": handle
        .replace('return { status: 404, body: "Not found\\n" }', "return missing(request.path)")
        .replace(
          'import type { Handle } from "seed";',
          'import type { Handle } from "seed";\nimport { missing } from "./lib/missing.ts";',
        ),
      "lib/missing.ts":
        'import type { Response } from "seed";\nexport const missing = (path: string): Response => ({ status: 404, body: "No " + path });\n',
      "missing.test.ts":
        'import { equal } from "node:assert/strict";\nimport { assert, test } from "seed";\ntest("names the path", async ({ handle }) => {\n  const { body } = await handle({ path: "/x" });\n  equal(body, "No /x");\n  assert.ok(body);\n});\n',
    },
    fence,
    {
      recordings: [
        recorded(),
        recorded({
          request: aRequest({ path: "/visits" }),
          state: { visits: "3" },
          response: {
            status: 200,
            headers: { "content-type": "application/json" },
            body: '{"visits":4,"at":"1970-01-01T00:00:00.000Z"}',
          },
        }),
      ],
    },
  );
  expect(said).toBe("");
  expect(report.steps.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
    ...["parse passed", "imports passed", "types passed", "compile passed", "tests passed", "former tests passed"],
    "replay passed",
  ]);
  expect(report.steps[4]?.summary).toBe("5 tests");
  expect(report.steps[5]?.summary).toBe("4 tests");
  expect(report.steps[6]?.summary).toMatch(/^2 of 2 answers are the same, /);
  expect(report.passed).toBe(true);
  expect(built?.hash).toMatch(/^[0-9a-f]{64}$/);
  expect(built?.testBundle).toContain("names the path");
});

describe("parse", () => {
  test.for([
    "../outside.ts",
    "/etc/x.ts",
    "a/../b.ts",
    "script.js",
    "types.d.ts",
    "__proto__.ts",
    ".hidden.ts",
    "a\\b.ts",
    "a//b.ts",
    "con\u0000.ts",
    "page.tsx",
    "constructor",
    `${"a".repeat(300)}.ts`,
  ])("rejects the path %j", async (path) => {
    const { failed, said } = await judge(Object.fromEntries([[path, "export {};"]]), fence);
    expect(failed).toBe("parse");
    expect(said).toContain(path.slice(0, 20));
  });

  test("rejects a syntax error, with its line", async () => {
    const { failed, said } = await judge({ "lib/a.ts": "export const a = 1;\nexport const = 2;" }, fence);
    expect(failed).toBe("parse");
    expect(said).toMatch(/^lib\/a\.ts:2 Variable declaration expected/);
  });

  test("rejects too many and too large files, a missing handle.ts, and paths that differ in case", async () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`f${index}.ts`, "export {};"]));
    expect((await judge(many, fence)).said).toContain("there are 202 files; at most 200 are allowed");
    expect((await judge({ "a.ts": `/* ${"x".repeat(1024 * 1024)} */` }, fence)).said).toContain(
      "at most 1048576 are allowed",
    );
    expect((await judge({ "handle.ts": null }, fence)).said).toContain("handle.ts is missing");
    expect((await judge({ "Handle.ts": "export {};" }, fence)).said).toContain("differs from handle.ts only in case");
  });
});

describe("imports", () => {
  test.for([
    ['import fs from "node:fs"; fs;', 'the module "node:fs" is not allowed'],
    ['import "fs";', 'the module "fs" is not allowed'],
    ['export * from "node:net";', 'the module "node:net" is not allowed'],
    ['import type { Socket } from "node:net"; export type S = Socket;', 'the module "node:net" is not allowed'],
    ['export type S = import("node:net").Socket;', 'the module "node:net" is not allowed'],
    ['import { test } from "seed"; test;', '"seed" has only types here'],
    ['import assert from "node:assert/strict"; assert;', "in *.test.ts files only"],
    ['export const x = import("./handle.ts");', "import() is not allowed"],
    ['export const x = import("data:text/javascript,1");', "import() is not allowed"],
    ["export const x = (name: string) => import(name);", "import() is not allowed"],
    ['import x = require("fs"); x;', "import = is not allowed"],
    ['declare const require: any; require("fs");', "require is not allowed"],
    ['export const x = eval("1");', "eval is not allowed"],
    ['export const x = new Function("return 1");', "Function is not allowed"],
    ["declare const process: any; process.exit();", "process is not allowed"],
    ['export const x = (globalThis as any)["pro" + "cess"];', "globalThis is not allowed"],
    ['export const x = ({} as any).getBuiltinModule("fs");', "getBuiltinModule is not allowed"],
    ['export const x = ({} as any)["getBuiltinModule"]("fs");', "getBuiltinModule is not allowed"],
    ['const { getBuiltinModule } = {} as any; getBuiltinModule("fs");', "getBuiltinModule is not allowed"],
    ["export const x = import.meta.url;", "import.meta is not allowed"],
    ['import { x } from "./lib/none"; x;', "there is no file lib/none"],
    ['import h from "./handle"; h;', "write the whole name: handle.ts"],
    ['import "./handle.test.ts";', "handle.test.ts is a test"],
    ['import "../../../etc/passwd";', "there is no file ../../../etc/passwd"],
    ["declare global { var x: number } export {};", "declare global"],
    ['declare module "node:fs" { export const x: number } export {};', "declare module"],
    ["// @ts-nocheck\nexport const x: number = 'a';", "comments that switch the type check"],
    ["export const x: number =\n  // @ts-ignore\n  'a';", "comments that switch the type check"],
    ["/* @ts-expect-error */ export const x: number = 'a';", "comments that switch the type check"],
    ['/// <reference path="/etc/passwd" />\nexport {};', "/// directives are not allowed"],
    ['/// <reference types="node" />\nexport {};', "/// directives are not allowed"],
    ["/** @jsx h */ export {};", "JSX is not allowed"],
    ["export {};\n//# sourceMappingURL=/etc/passwd", "source maps are not allowed"],
  ])("rejects %j", async ([text = "", message = ""]) => {
    const { failed, said } = await judge({ "a.ts": text }, fence);
    expect(failed).toBe("imports");
    expect(said).toMatch(/^a\.ts:\d+ /);
    expect(said).toContain(message);
  });

  test("allows members of these names", async () => {
    const text =
      "export const x = { process: 1, eval: 2, module: { exports: 3 } };\nexport const y = x.process + x.module.exports;";
    expect((await judge({ "a.ts": text }, fence)).said).toBe("");
  });
});

describe("types", () => {
  test("rejects an error, with its line", async () => {
    const { failed, said } = await judge(
      { "a.ts": 'import type { Response } from "seed";\nexport const a: Response = { status: "200" };' },
      fence,
    );
    expect(failed).toBe("types");
    expect(said).toBe("a.ts:2 Type 'string' is not assignable to type 'number'. (TS2322)");
  });

  test("has the types of the globals, and none of Node", async () => {
    expect((await judge({ "a.ts": "export const a = performance.now();" }, fence)).said).toContain("performance");
    const text = `console.log(new URL("http://a/b?c=1").searchParams.get("c"), structuredClone([1]), btoa("a"));
      const timer = setTimeout(() => {}, 5); clearTimeout(timer);
      export const bytes = new TextEncoder().encode("a");`;
    expect((await judge({ "a.ts": text }, fence)).said).toBe("");
  });

  test("rejects a wrong type of an extension point", async () => {
    const { failed, said } = await judge(
      {
        "checks.ts":
          'import type { Checks } from "seed";\nconst checks: Checks = () => [{ name: 1, ok: true }];\nexport default checks;',
      },
      fence,
    );
    expect(failed).toBe("types");
    expect(said).toContain("checks.ts:2");
  });
});

test("compile: rejects top-level await", async () => {
  const { failed, said } = await judge({ "handle.ts": `await null;\n${handle}` }, fence);
  expect(failed).toBe("compile");
  expect(said).toContain("Top-level await");
});

describe("tests", () => {
  test("rejects a failing test, with the line of the assertion", async () => {
    const { failed, said } = await judge(
      {
        "a.test.ts":
          'import { assert, test } from "seed";\n\ntest("adds", async ({ handle }) => {\n  const { status } = await handle({});\n  assert.equal(status, 201);\n});',
      },
      fence,
    );
    expect(failed).toBe("tests");
    expect(said).toContain('a.test.ts:5 the test "adds" failed: AssertionError');
    expect(said).toContain("200 !== 201");
  });

  test("names the line of the code that threw, and of the test", async () => {
    const { failed, said } = await judge(
      {
        "handle.ts": handle.replace(
          'if (request.path === "/echo"',
          'if (request.path === "/echo") throw new Error("deaf");\n  if (request.path === "/echo"',
        ),
      },
      fence,
    );
    expect(failed).toBe("tests");
    expect(said).toMatch(/^handle\.test\.ts:\d+ the test "echoes" failed: Error: Error: deaf \(handle\.ts:6\)/);
  });

  test("rejects a change without tests, and test files without any", async () => {
    expect((await judge({ "handle.test.ts": null }, fence)).said).toContain("there are no tests");
    expect((await judge({ "handle.test.ts": "export {};" }, fence)).said).toContain("the test files contain no test");
  });

  test("shows no control characters of hostile code, and not everything that it says", async () => {
    const text =
      'import { test } from "seed";\ntest("shouts", () => { throw new Error("\\u001b[31mred" + "x".repeat(9000)); });';
    const { said } = await judge({ "a.test.ts": text }, fence);
    expect(said).toMatch(/^a\.test\.ts:2 the test "shouts" failed: Error: redx+…$/);
    expect(said.length).toBeLessThan(2100);
  });

  test("rejects tests that don't end, and names the test", async () => {
    const { failed, said } = await judge(
      { "a.test.ts": 'import { test } from "seed";\ntest("waits", () => new Promise(() => {}));' },
      fence,
      { testMilliseconds: 2000 },
    );
    expect(failed).toBe("tests");
    expect(said).toContain('the process of the tests ended in the test "waits": the tests took more than 2000 ms');
  });
});

describe("former tests", () => {
  const change = {
    "handle.ts": handle.replace("I am a seed agent", "I am a tree"),
    "handle.test.ts": 'import { test } from "seed";\ntest("nothing", () => {});',
  };

  test("rejects a change that fails the base's tests, although its own pass", async () => {
    const { failed, said } = await judge(change, fence);
    expect(failed).toBe("former tests");
    expect(said).toContain('handle.test.ts:6 the test "says who it is" failed');
  });

  test("lists the failure for a person if answers may differ", async () => {
    const { report, built } = await judge(change, fence, { answers: "may differ" });
    expect(report.passed).toBe(true);
    expect(built).toBeDefined();
    const step = report.steps.find(({ name }) => name === "former tests");
    expect(step?.summary).toBe("3 of 4 tests pass; answers may differ, so a person decides");
    expect(step?.diagnostics).toHaveLength(1);
  });
});

describe("replay", () => {
  const change = {
    "handle.ts": handle
      .replace("visits: 42", "")
      .replace('return { status: 404, body: "Not found\\n" }', 'return { status: 404, body: "Nothing\\n" }'),
  };
  const missing = recorded({
    request: aRequest({ path: "/x", query: { a: "1" } }),
    response: { status: 404, headers: {}, body: "Not found\n" },
  });

  test("rejects an answer that differs", async () => {
    const { failed, said, report } = await judge(change, fence, { recordings: [recorded(), missing] });
    expect(failed).toBe("replay");
    expect(said).toBe(': GET /x?a=1: the body is "Nothing\\n", and was "Not found\\n"');
    expect(report.steps[6]?.summary).toMatch(/^1 of 2 answers are the same/);
  });

  test("lists the difference if answers may differ", async () => {
    const { report } = await judge(change, fence, { recordings: [missing], answers: "may differ" });
    expect(report.passed).toBe(true);
    expect(report.steps[6]?.diagnostics).toHaveLength(1);
  });

  test("rejects different changes of the state", async () => {
    const { failed, said } = await judge(
      {
        "handle.ts": handle.replace(
          "await context.state.set",
          'if (visits > 100) await context.state.set("spy", "1");\n    await context.state.set',
        ),
      },
      fence,
      {
        recordings: [
          recorded({
            request: aRequest({ path: "/visits" }),
            state: { visits: "200" },
            response: {
              status: 200,
              headers: { "content-type": "application/json" },
              body: '{"visits":201,"at":"1970-01-01T00:00:00.000Z"}',
            },
          }),
        ],
      },
    );
    expect(failed).toBe("replay");
    expect(said).toContain('the state\'s "spy" is "1", and was "not written"');
  });

  test("leaves out requests that the base answers differently now", async () => {
    const other = recorded({ response: { status: 200, headers: {}, body: "random" } });
    const { report } = await judge({ "a.ts": "export {};" }, fence, { recordings: [other, recorded()] });
    expect(report.steps[6]?.summary).toMatch(/^1 of 1 answers are the same, 1 are not repeatable/);
  });

  test("rejects a change that is much slower", async () => {
    const slow = handle.replace(
      "async (request, context) => {",
      "async (request, context) => {\n  await new Promise<void>((done) => setTimeout(done, 80));",
    );
    const { failed, said } = await judge({ "handle.ts": slow }, fence, {
      recordings: Array.from({ length: 6 }, () => recorded()),
    });
    expect(failed).toBe("replay");
    expect(said).toMatch(/answers took \d+\.\d ms, and \d+\.\d ms before \(medians of 6\); make it faster/);
  });
});

test("stops when it is aborted", async () => {
  const controller = new AbortController();
  const judging = judge(
    { "a.test.ts": 'import { test } from "seed";\ntest("waits", () => new Promise(() => {}));' },
    fence,
    {
      signal: controller.signal,
      onStep: ({ name }) => name === "compile" && controller.abort(new Error("given up")),
    },
  );
  await expect(judging).rejects.toThrow("given up");
});
