import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { installationPaths } from "../../../components/host/installation-paths.ts";
import { writeSandbox } from "../../../components/sandbox/installed.ts";
import { devStack } from "../../../scripts/stack/dev-stack.ts";
import { projectFolder } from "../../../scripts/stack/project.ts";
import { installationOf } from "../../../scripts/stack/stack.ts";
import { sandboxSpec } from "../../support/sandbox-spec.ts";

const home = mkdtempSync(join(tmpdir(), "start-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

it("refuses a limit of the cost that nothing would enforce", () => {
  const paths = installationPaths(installationOf(devStack(home), home), home);
  writeSandbox(paths, { spec: sandboxSpec({ name: "app", runtime: "codex" }), enabled: true, image: "image" });
  const program = join(projectFolder, "scripts/changeling/changeling.ts");
  const { status, stderr } = spawnSync(process.execPath, [program, "sandbox", "start", "app", "--max-cost", "5"], {
    env: { PATH: process.env["PATH"], HOME: home },
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr:
      "error: the runtime codex does not report what its prompts cost, so --max-cost would limit nothing; use --max-minutes or --max-messages\n",
  });
});
