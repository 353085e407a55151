import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { projectFolder } from "../../../../scripts/stack/project.ts";

/** Runs code in a process whose SDK lacks the unused parts, and returns what it writes as JSON. */
function runLean(code: string): unknown {
  const module = join(projectFolder, "scripts/stack/lean-program.ts");
  const program = `import { inSdk, leaveOutUnusedParts } from ${JSON.stringify(module)};
    leaveOutUnusedParts({ tracing: false });
    const pulumi = inSdk("@pulumi/pulumi");
    const files = () => Object.values(inSdk.cache).flatMap(({ filename }) => filename ?? []);
    const loaded = (name) => files().some((file) => file.includes("/node_modules/" + name + "/"));
    process.stdout.write(JSON.stringify(await (${code})()));`;
  const args = ["--input-type=module", "--eval", program];
  const env = { ...process.env, NODE_NO_WARNINGS: "1" };
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: projectFolder, encoding: "utf8", env });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

const left = ["@npmcli/arborist", "@pulumi/pulumi/automation", "normalize-package-data", "typescript"];

it("loads the SDK without the parts that no resource uses", () => {
  // A new version of the SDK that loads them under other names fails here.
  expect(runLean(`() => ${JSON.stringify(left)}.filter(loaded)`)).toEqual([]);
});

it("still serializes a function, and loads the parts for that", () => {
  const serialized = runLean(
    `async () => [(await pulumi.runtime.serializeFunction(() => 6 * 7)).text.includes("6 * 7"), loaded("typescript")]`,
  );
  expect(serialized).toEqual([true, true]);
});

it("still has the Automation API, and the function that a module is", () => {
  const found = runLean(
    `() => [typeof pulumi.automation.LocalWorkspace.create, typeof inSdk("normalize-package-data").default]`,
  );
  expect(found).toEqual(["function", "function"]);
});
