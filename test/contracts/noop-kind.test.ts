import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectFolder } from "../../scripts/stack/project.ts";

/**
 * The proof that a kind is one folder and one line (and its import): a copy of the project gets the kind `noop`, and is
 * then used as a person uses it, by the CLI and the real engine.
 */
describe("a kind that is a folder and a line in kinds.ts", () => {
  const copy = mkdtempSync(join(tmpdir(), "noop-kind-"));
  let seen: Record<string, unknown> = {};

  beforeAll(() => {
    for (const part of [
      "components",
      "scripts",
      "changelings",
      "index.ts",
      "package.json",
      "Pulumi.yaml",
      "VERSION",
      "test/engine/test-stack.ts",
      "test/support",
      "test/contracts/drive-noop.ts",
    ])
      cpSync(join(projectFolder, part), join(copy, part), { recursive: true });
    symlinkSync(join(projectFolder, "node_modules"), join(copy, "node_modules"));
    const noop = join(import.meta.dirname, "noop");
    mkdirSync(join(copy, "components/noop"));
    for (const file of readdirSync(noop)) {
      const text = readFileSync(join(noop, file), "utf8").replaceAll('"../../../components/', '"../');
      writeFileSync(join(copy, "components/noop", file), text);
    }
    const registry = join(copy, "components/kinds.ts");
    const text = readFileSync(registry, "utf8");
    writeFileSync(registry, `import { noop } from "./noop/kind.ts";\n${text.replace("  web,\n", "  web,\n  noop,\n")}`);
    const answer = execFileSync(process.execPath, [join(copy, "test/contracts/drive-noop.ts")], {
      cwd: copy,
      encoding: "utf8",
    });
    seen = JSON.parse(answer);
  }, 300_000);
  afterAll(() => rmSync(copy, { recursive: true, force: true }));

  it("is validated by its own checks, and its options are known", () => {
    expect(seen["refused"]).toMatch(/changelings\.greeter-0\.greeting: is rude/);
    expect(seen["refused"]).toMatch(/greeter-1\.gretting: unknown option .*\n.*did you mean "greeting"\?/);
    expect(seen["refused"]).toMatch(/schedule is only for kind = "cron"/);
    expect(seen["validated"]).toMatch(/1 changeling/);
  });

  it("is planned, deployed, updated and removed", () => {
    expect(seen["planned"]).toMatchObject({
      "changelings:noop:Noop greeter": "create",
      "command:local:Command greeter-noop": "create",
    });
    expect([seen["deployed"], seen["updated"], seen["removed"]]).toEqual(["hello", "good morning", null]);
    expect(seen["plan"]).toBe('greeter changes\n  it says "good morning"\n');
    expect(seen["outputs"]).toMatchObject({ changelings: { greeter: { kind: "noop", greeting: "good morning" } } });
  });

  it("is listed, and its log is shown", () => {
    expect(seen["listed"]).toBe("NAME     GREETING\ngreeter  good morning\n");
    expect(seen["listedInJson"]).toEqual([
      { name: "greeter", kind: "noop", provider: "local", enabled: true, greeting: "good morning" },
    ]);
    expect(seen["log"]).toBe("good morning\n");
  });

  it("refuses the commands of other kinds, in its own words or in those of the kinds that have them", () => {
    expect(seen["run"]).toBe("error: greeter is a noop: nothing fires it; what it says: cat ~/noop-greeter\n");
    expect(seen["opened"]).toBe('error: greeter is a noop: "open" is only for web changelings\n');
    expect(seen["paused"]).toBe('error: greeter is a noop: "pause" is only for scheduled changelings\n');
    expect(seen["followed"]).toMatch(/--follow is for web changelings/);
  });

  it("is checked by doctor", () => {
    expect(seen["healthy"]).toContainEqual({ name: "greeting of greeter", status: "ok", detail: "good morning" });
    expect(seen["sick"]).toMatch(
      /^checking tools, the fleet file, web agents, (.*, )?greetings, (.*, )?Modal, this machine/,
    );
    expect(seen["sick"]).toMatch(/FAILED {3}greeting of greeter: its file is missing\n {9}npm start/);
  });

  it("has its files compared with the state", () => {
    expect(seen["sick"]).toMatch(
      /FAILED {3}greeting of greeter: greeter is silent: its file is missing\n {9}npm start/,
    );
  });

  it("is removed without Pulumi when its stack is gone", () => {
    expect(seen["discarded"]).toMatch(/^[0-9a-f]{12} is removed\.\n$/);
    expect([seen["kept"], seen["left"]]).toEqual(["hello", null]);
  });

  it("has its drift detected and repaired", () => {
    expect(JSON.stringify(seen["drifted"])).toContain("update");
    expect(seen["repaired"]).toBe("good morning");
  });
});
