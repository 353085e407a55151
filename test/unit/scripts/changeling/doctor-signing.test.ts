import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { changelingOf } from "../../../../components/cron/from-program.ts";
import { signingChecks } from "../../../../components/cron/inspect/signing.ts";

it("doctor names repositories whose commits are signed, and whose agents it concerns", async () => {
  const folder = mkdtempSync(join(tmpdir(), "signing-"));
  try {
    const repo = (name: string, signs: string) => {
      const path = join(folder, name);
      execFileSync("git", ["init", "--quiet", path]);
      execFileSync("git", ["-C", path, "config", "commit.gpgsign", signs]);
      return path;
    };
    const [signed, plain] = [repo("signed", "true"), repo("plain", "false")];
    const of = (name: string, path: string) =>
      changelingOf(name, { repo: path, timezone: "UTC", agentType: "command", agentArgs: ["true"] });
    const changelings = [
      of("troll", signed),
      of("fairy", signed),
      of("other", plain),
      of("gone", join(folder, "gone")),
    ];
    expect(await signingChecks({ changelings })).toEqual([
      {
        name: `commits in ${signed}`,
        status: "warning",
        detail: expect.stringContaining("also those of troll, fairy."),
        remedy: `if they fail, run: git -C ${signed} config commit.gpgsign false`,
      },
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
