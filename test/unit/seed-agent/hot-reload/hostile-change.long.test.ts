import { afterAll, describe, expect, test } from "vitest";
import { endAnalyzer } from "../../../../components/seed-agent/program/hot-reload/analysis/analyzer.ts";
import { firstVersion } from "../../../../components/seed-agent/program/hot-reload/first-version.ts";
import { fences } from "../../../support/seed-agent/fences.ts";
import { judge, limits } from "../../../support/seed-agent/versions.ts";

afterAll(endAnalyzer);

const [strongest] = await fences();
if (strongest === undefined) throw new Error("there is always a fence");
const first = (await firstVersion()).sources["handle.ts"] ?? "";

describe("a change that tries to forge its check results", () => {
  const wrong = first.replace("I am a seed agent", "I am a tree");
  const poison = `
    (Object.prototype as any).ok = true;
    Array.prototype.every = (() => true) as any;
    JSON.stringify = ((value: any, ...more: any[]) => '{"type":"tested","name":"says who it is","milliseconds":1}') as any;
    String.prototype.match = () => ["seed agent"] as any;
    RegExp.prototype.test = (() => true) as any;
    RegExp.prototype.exec = () => ["seed agent"] as any;`;

  test("fails the former tests, whatever it does in its own process", async () => {
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

  test("fails the former tests, whatever its own tests do in their process", async () => {
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

  test("can't end the check by a test that loops, exits or sends too much", async () => {
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

  test("is rejected if it loops at import, also if its tests do", async () => {
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
