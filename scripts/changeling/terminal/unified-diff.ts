import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { styleText } from "node:util";
import { withoutSecrets } from "../../../components/lib/literal-secrets.ts";
import { plainWords } from "../../../components/lib/text.ts";

/**
 * A unified diff of a file's edit, like `diff -u`; empty if nothing changes. Likely secret values are redacted.
 * @throws if git can't be started
 */
export function unifiedDiff(file: string, before: string, after: string): string {
  if (before === after) return "";
  const folder = mkdtempSync(join(tmpdir(), "changeling-diff-"));
  try {
    for (const [name, text] of [
      ["before", before],
      ["after", after],
    ] as const) {
      writeFileSync(join(folder, name), text, { mode: 0o600 });
    }
    const args = ["diff", "--no-index", "--no-ext-diff", "--no-textconv", "--no-color", "--unified=3"];
    const { status, stdout, error } = spawnSync("git", [...args, "--text", "before", "after"], {
      cwd: folder,
      encoding: "utf8",
      env: { PATH: process.env["PATH"], LC_ALL: "C", GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" },
    });
    // git exits with 1 if the files differ.
    if (status !== 1) throw new Error(`the change could not be shown: git diff: ${error?.message ?? `exit ${status}`}`);
    const hunks = stdout.slice(stdout.indexOf("\n@@") + 1);
    return withoutSecrets(`--- ${file}\n+++ ${file}\n${hunks.trimEnd()}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Uses the usual diff colours, if the stream supports colours. */
export function colouredDiff(diff: string, stream: NodeJS.WriteStream): string {
  const colour = (line: string) => {
    if (/^(---|\+\+\+) /.test(line)) return styleText("bold", line, { stream });
    if (line.startsWith("+")) return styleText("green", line, { stream });
    if (line.startsWith("-")) return styleText("red", line, { stream });
    return line.startsWith("@@") ? styleText("cyan", line, { stream }) : line;
  };
  return plainWords(diff).split("\n").map(colour).join("\n");
}
