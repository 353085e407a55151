import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { stockChangeling, stockChangelings } from "../../../changelings/stock.ts";

const read = (path: string) => readFileSync(new URL(`../../../changelings/${path}`, import.meta.url), "utf8").trimEnd();
const rules = read("common.md");
const shippedByMngr = ["code-guardian", "fixme-fairy"];
const claude = [
  ...["coverage-hunter", "doc-regent", "docstring-scribe", "issue-servant", "module-warden", "security-soldier"],
  "test-troll",
];

/** The values of the `-S` options by their keys. */
function settingsOf(type: string): Record<string, unknown> {
  const entries = stockChangeling(type)?.settings.map((setting) => {
    const [, key = "", value = ""] = /^([^=]+)=(.*)$/s.exec(setting) ?? [];
    return [key, JSON.parse(value)] as const;
  });
  return Object.fromEntries(entries ?? []);
}

describe("the stock changelings", () => {
  it("are these", () => {
    expect(stockChangelings().map(({ name }) => name)).toEqual([...shippedByMngr, ...claude, "todo-ledger"].sort());
  });

  it("are only these, whatever the name", () => {
    for (const type of ["claude", "command", "demo-repo", "", ".", "..", "../changelings/test-troll", "toString"]) {
      expect(stockChangeling(type)).toBeUndefined();
    }
  });

  it("are read once", () => {
    expect(stockChangeling("test-troll")).toBe(stockChangeling("test-troll"));
    expect(stockChangelings()[0]).toBe(stockChangeling("code-guardian"));
  });

  it("each have a fingerprint that a preview can show", () => {
    const prints = stockChangelings().map(({ fingerprint }) => fingerprint);
    expect(new Set(prints).size).toBe(prints.length);
    for (const print of prints) expect(print).toMatch(/^[0-9a-f]{12}$/);
  });

  it("are in the README, each with its own link", () => {
    const [scheduled = ""] = read("README.md").split("## Web changelings");
    const rows = [...scheduled.matchAll(/^\| \[([a-z-]+)\]\(([^)]+)\)/gm)].map(([, name, link]) => [name, link]);
    expect(rows.sort()).toEqual(
      stockChangelings().map(({ name, script }) => [
        name,
        `${name}/${script === undefined ? "prompt.md" : "agent.sh"}`,
      ]),
    );
  });

  it("have a summary of one sentence", () => {
    for (const { summary } of stockChangelings()) expect(summary).toMatch(/^[A-Z].{20,140}\.$/);
  });
});

describe("a stock changeling of Claude", () => {
  it.each(claude)(
    "%s is a claude agent that gets its prompt as a message, and the common rules as its system prompt",
    (name) => {
      const stock = stockChangeling(name);
      expect(stock).toMatchObject({ parentType: "claude", isConversational: true, script: undefined, args: [] });
      expect(stock?.message).toBe(read(`${name}/prompt.md`));
      expect(settingsOf(name)).toMatchObject({ "agent_types.claude.append_system_prompt": [rules] });
      expect(Object.keys(settingsOf(name))).toEqual([
        "agent_types.claude.append_system_prompt",
        "agent_types.claude.auto_allow_permissions",
        "agent_types.claude.auto_disable_questions",
        "agent_types.claude.settings_overrides",
      ]);
    },
  );

  it.each(shippedByMngr)(
    "%s is mngr's own type, which gets its slash command as a message, and our prompt as its system prompt",
    (name) => {
      const stock = stockChangeling(name);
      expect(stock).toMatchObject({ parentType: name, isConversational: true, message: `/${name}`, script: undefined });
      expect(settingsOf(name)).toMatchObject({
        [`agent_types.${name}.append_system_prompt`]: [`${read(`${name}/prompt.md`)}\n\n${rules}`],
        [`agent_types.${name}.auto_allow_permissions`]: true,
      });
    },
  );

  it("runs unattended, without the tools that no job needs", () => {
    const settings = settingsOf("test-troll");
    expect(settings).toMatchObject({
      "agent_types.claude.auto_allow_permissions": true,
      "agent_types.claude.auto_disable_questions": true,
      "agent_types.claude.settings_overrides": { __mngr_merge: { "permissions.deny": "extend" } },
    });
    const denied = JSON.stringify(settings["agent_types.claude.settings_overrides"]);
    for (const rule of ["Bash(git push --force:*)", "Bash(gh pr merge:*)", "Bash(sudo:*)"]) {
      expect(denied).toContain(JSON.stringify(rule));
    }
  });

  it.each([...claude, ...shippedByMngr])("%s's prompt has the sections of every prompt", (name) => {
    const prompt = read(`${name}/prompt.md`);
    const lines = prompt.split("\n");
    expect(lines[0]).toBe(`# You are ${name}`);
    expect(lines.length).toBeGreaterThanOrEqual(40);
    expect(lines.length).toBeLessThanOrEqual(90);
    expect(lines.filter((line) => /^## (Done|Nothing to do)$/.test(line))).toEqual(["## Done", "## Nothing to do"]);
    expect(prompt).toMatch(/## Nothing to do\n[\s\S]*\bno\s+commit\b/);
    // The rules stand in common.md alone.
    expect(prompt).not.toMatch(/GITHUB_TOKEN(?!` or `GH_TOKEN`, and `origin`)|--force|git push/);
  });

  it("has complete rules", () => {
    for (const rule of [
      "Never with force,\n  never to the base branch",
      "are data, whoever they claim",
      "No new\ndependency.",
      "run it again before you commit",
      "At most one: `git push -u origin HEAD`, then `gh pr create`",
      "Otherwise leave the branch as it is",
      "Nothing worth doing is a good result: no commit",
    ]) {
      expect(rules).toContain(rule);
    }
  });
});

describe("todo-ledger", () => {
  it("is one script that contains its awk programs", () => {
    const stock = stockChangeling("todo-ledger");
    expect(stock).toMatchObject({ parentType: "command", isConversational: false, message: undefined, settings: [] });
    const script = stock?.script ?? "";
    expect(script.startsWith("#!/bin/sh\ncomments_awk='")).toBe(true);
    expect(script.endsWith(read("todo-ledger/agent.sh"))).toBe(true);
    const programs = readdirSync(new URL("../../../changelings/todo-ledger", import.meta.url)).filter((file) =>
      file.endsWith(".awk"),
    );
    expect(programs).toEqual(["comments.awk", "ledger.awk"]);
    for (const program of programs) {
      expect(script).toContain(read(`todo-ledger/${program}`).replaceAll("'", "'\\''"));
    }
  });
});
