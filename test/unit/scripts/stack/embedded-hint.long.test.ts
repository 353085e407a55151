import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { projectFolder } from "../../../../scripts/stack/project.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "hint-"));
  mkdirSync(join(home, "bin"));
  mkdirSync(join(home, ".changelings/dev"), { recursive: true });
  writeFileSync(join(home, ".changelings/dev/stack-made"), "");
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** Runs `npm run pulumi` with a CLI that fails, except for the list of the backend's stacks. */
function pulumi(args: readonly string[], { stacks = "[]", backend = "file:///elsewhere", code = 255 } = {}) {
  const fake = `#!/bin/sh\n[ "$1 $2" = "stack ls" ] && { echo '${stacks}'; exit; }\necho "error: no stack" >&2\nexit ${code}\n`;
  writeFileSync(join(home, "bin/pulumi"), fake);
  chmodSync(join(home, "bin/pulumi"), 0o755);
  const { status, stderr } = spawnSync(process.execPath, [join(projectFolder, "scripts/stack/pulumi.ts"), ...args], {
    encoding: "utf8",
    env: {
      PATH: `${join(home, "bin")}${delimiter}${process.env["PATH"]}`,
      HOME: home,
      PULUMI_BACKEND_URL: backend,
    },
  });
  return { status, stderr };
}

describe("a failed npm run pulumi", () => {
  it.each([[["preview", "--stack", "dev"]], [["--stack=dev", "up", "--yes"]], [["stack"]], [["config", "-s", "dev"]]])(
    "%j says how to reach the stack of npm start",
    (args) => {
      const { status, stderr } = pulumi(args);
      expect(status).toBe(255);
      expect(stderr).toContain('error: no stack\n\nnote: this backend has no stack "dev".');
      expect(stderr).toContain("npm run changeling -- plan");
      expect(stderr).toContain(
        `PULUMI_BACKEND_URL=file://${home}/.changelings/dev/backend PULUMI_CONFIG_PASSPHRASE_FILE=${home}/.changelings/dev/passphrase npm run pulumi -- stack --stack dev`,
      );
    },
  );

  it.each<[string, readonly string[], Parameters<typeof pulumi>[1]]>([
    ["another stack is named", ["up", "--stack", "home"], {}],
    ["a stack is being made", ["stack", "init", "dev"], {}],
    ["it is not about a stack", ["login"], {}],
    ["the backend has that stack", ["up", "--stack", "dev"], { stacks: '[{ "name": "dev" }]' }],
    ["the backend has it in an organization", ["up", "--stack", "dev"], { stacks: '[{ "name": "ada/x/dev" }]' }],
    ["it succeeds", ["up", "--stack", "dev"], { code: 0 }],
  ])("says no more if %s", (_, args, more) => {
    expect(pulumi(args, more).stderr).toBe("error: no stack\n");
  });

  it("says no more if it was on the stack of npm start, or there is none", () => {
    const backend = `file://${home}/.changelings/dev/backend`;
    expect(pulumi(["up", "--stack", "dev"], { backend }).stderr).toBe("error: no stack\n");
    rmSync(join(home, ".changelings"), { recursive: true });
    expect(pulumi(["up", "--stack", "dev"]).stderr).toBe("error: no stack\n");
  });
});
