import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileCache } from "../../support/compile-cache.ts";

let folder: string;
let script: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "script-"));
  script = join(folder, "script.ts");
  const imports = [
    `import { commandScript } from "${resolve("components/command-script.ts")}";`,
    `import * as z from "${resolve("node_modules/zod/mini/index.js")}";`,
  ];
  writeFileSync(
    script,
    `${imports.join("\n")}
const script = commandScript({
  variables: z.object({ NAME: z.string(), MODE: z.string() }),
  timeoutSeconds: 1,
  async apply({ NAME, MODE }) {
    if (MODE === "fail") throw new Error("it broke; repair it with: mend");
    if (MODE === "long") return { text: "x".repeat(5000) };
    if (MODE === "hang") await new Promise((resolve) => setTimeout(resolve, 60_000));
    return { NAME, seen: Object.keys(process.env).sort() };
  },
  async remove({ NAME }) {
    return { removed: NAME };
  },
});
await script.run(process.argv[2]);
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(verb: string, env: NodeJS.ProcessEnv) {
  const base = { PATH: process.env["PATH"], HOME: folder, ...compileCache };
  return spawnSync(process.execPath, [script, verb], { env: { ...base, ...env }, encoding: "utf8" });
}

describe("commandScript", () => {
  it("gives the work its variables, and an environment that holds nothing else of ours", () => {
    const { status, stdout, stderr } = run("apply", {
      NAME: "a",
      MODE: "",
      PULUMI_CONFIG_PASSPHRASE: "x",
      VALUES: "y",
      CHANGELINGS_CACHE: "/cache",
      npm_config_registry: "https://npm.example",
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(JSON.parse(stdout)).toEqual({ NAME: "a", seen: expect.anything() });
    // Besides what every program may see, what setup reads, if it has to install something.
    const seen = JSON.parse(stdout).seen.filter((name: string) => name !== "NODE_COMPILE_CACHE");
    expect(seen).toEqual(["CHANGELINGS_CACHE", "HOME", "PATH", "npm_config_registry"]);
    expect(stdout.trim().split("\n")).toHaveLength(1);
  });

  it("removes by the same variables", () => {
    expect(JSON.parse(run("remove", { NAME: "a", MODE: "" }).stdout)).toEqual({ removed: "a" });
  });

  it.each([
    ["an error, without a stack", "apply", { NAME: "a", MODE: "fail" }, 1, "error: it broke; repair it with: mend\n"],
    ["a missing variable", "apply", { NAME: "a" }, 2, /lacks MODE: /],
    ["a result that the state should not hold", "apply", { NAME: "a", MODE: "long" }, 1, /over 4096 bytes/],
    ["work that takes too long", "apply", { NAME: "a", MODE: "hang" }, 124, "error: not finished within 1 s\n"],
  ])("reports %s", (_what, verb, env, code, message) => {
    const { status, stdout, stderr } = run(verb, env);
    expect({ status, stdout }).toEqual({ status: code, stdout: "" });
    if (typeof message === "string") expect(stderr).toBe(message);
    else expect(stderr).toMatch(message);
  });
});
