import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { stockChangeling } from "../../changelings/stock.ts";
import { type Ended, Repository } from "./repository.ts";

export const script = stockChangeling("todo-ledger")?.script ?? "";
export const ann = { author: "Ann Able", at: "2021-03-04T12:00:00+00:00" };
export const bob = { author: "Bob Baker", at: "2023-12-31T23:30:00-05:00" };
export const nothingChanged = "todo-ledger: nothing changed since the last report: no commit\n";

export function runAgent(repository: Repository, env: NodeJS.ProcessEnv = {}): Ended {
  return repository.run("/bin/sh", ["-c", script], env);
}

/** Runs the agent, which must commit. Returns the commit's subject. */
export function commitReport(repository: Repository, env: NodeJS.ProcessEnv = {}): string {
  const before = repository.run("git", ["rev-parse", "HEAD"]).stdout;
  expect(runAgent(repository, env)).toMatchObject({ code: 0, stderr: "" });
  expect(repository.git("rev-parse", "HEAD^")).toBe(before.trim());
  expect(repository.git("status", "--porcelain", "--", "TODO-LEDGER.md")).toBe("");
  return repository.git("log", "-1", "--format=%B").trim();
}

export function report(repository: Repository): string {
  return readFileSync(join(repository.folder, "TODO-LEDGER.md"), "utf8");
}

/** The rows of all tables, as "marker | cell | cell | cell | cell". */
export function rows(repository: Repository): string[] {
  let marker = "";
  return report(repository)
    .split("\n")
    .flatMap((line) => {
      marker = /^## (\w+) \(\d+\)$/.exec(line)?.[1] ?? marker;
      return /^\| (by )?\d/.test(line) ? [marker + line.replace(/ \|$/, "").replace(/^\|/, " |")] : [];
    });
}

/** The rows for files with these contents, as "marker file:line text". */
export function listed(files: Readonly<Record<string, string | Buffer>>): string[] {
  using repository = new Repository();
  repository.commit(files, ann);
  runAgent(repository);
  if (!existsSync(join(repository.folder, "TODO-LEDGER.md"))) return [];
  return rows(repository).map((row) => {
    const [marker, , where, , text] = row.split(" | ");
    return `${marker} ${/\[(.*)\]/.exec(where ?? "")?.[1]} ${text}`;
  });
}
