import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Repository } from "../../support/repository.ts";
import { ann, bob, commitReport, listed, nothingChanged, report, rows, runAgent } from "../../support/todo-ledger.ts";

describe("the report", () => {
  it("groups by marker, the oldest first, with author, UTC date and counts", () => {
    using repository = new Repository();
    repository.commit({ "src/a.ts": "// TODO: first\nlet x;\n", "b.py": "# FIXME mend this\n" }, bob);
    repository.commit({ "c.sh": "# XXX odd\n# TODO: second\n", "src/a.ts": "// TODO: first\nlet x; // HACK!\n" }, ann);
    expect(commitReport(repository)).toBe("Update the TODO ledger: 5 open, 5 new, 0 resolved");
    expect(report(repository)).toBe(`# TODO ledger

<!-- Written by todo-ledger: what is edited here is lost in its next run. -->

**5 open**: 1 FIXME, 2 TODO, 1 HACK, 1 XXX; the oldest is from 2021-03-04. This is the first report.

## FIXME (1)

| Since | Where | Who | What |
| --- | --- | --- | --- |
| 2024-01-01 | [b.py:1](b.py#L1) | Bob Baker | mend this |

## TODO (2)

| Since | Where | Who | What |
| --- | --- | --- | --- |
| 2021-03-04 | [c.sh:2](c.sh#L2) | Ann Able | second |
| 2024-01-01 | [src/a.ts:1](src/a.ts#L1) | Bob Baker | first |

## HACK (1)

| Since | Where | Who | What |
| --- | --- | --- | --- |
| 2021-03-04 | [src/a.ts:2](src/a.ts#L2) | Ann Able | (no words) |

## XXX (1)

| Since | Where | Who | What |
| --- | --- | --- | --- |
| 2021-03-04 | [c.sh:1](c.sh#L1) | Ann Able | odd |
`);
  });

  it("escapes other people's text, and keeps it out of the commit message", () => {
    using repository = new Repository();
    const text = "<img src=x> | `code` [a](b) *b* _c_ &lt; $x$ ~~y~~ \\ closes #1";
    repository.commit({ "a.js": `// TODO ${text}\n` }, { ...ann, author: "A | <b>" });
    const subject = commitReport(repository);
    expect(subject).toBe("Update the TODO ledger: 1 open, 1 new, 0 resolved");
    expect(rows(repository)).toEqual([
      // git itself takes the angle brackets out of a name.
      "TODO | 2021-03-04 | [a.js:1](a.js#L1) | A \\| b | " +
        "\\<img src=x\\> \\| \\`code\\` \\[a\\](b) \\*b\\* \\_c\\_ \\&lt; \\$x\\$ \\~\\~y\\~\\~ \\\\ closes #1",
    ]);
  });

  it("cuts long texts between characters", () => {
    const texts = ["x".repeat(160), "x".repeat(161), `${"x".repeat(156)}üüü`];
    const cut = [texts[0], `${"x".repeat(157)}...`, `${"x".repeat(156)}...`];
    expect(listed({ "a.c": texts.map((text) => `// TODO ${text}\n`).join("") })).toEqual(
      cut.map((text, index) => `TODO a.c:${index + 1} ${text}`),
    );
  });

  it("dates in leap years and past 2038", () => {
    using repository = new Repository();
    const dates = ["1970-01-01", "1999-12-31", "2000-02-29", "2001-03-01", "2024-02-29", "2099-12-31"];
    for (const [index, date] of dates.entries()) {
      repository.commit({ [`${index}.go`]: `// TODO ${index}\n` }, { author: "Ann", at: `${date}T23:59:59+00:00` });
    }
    commitReport(repository);
    expect(rows(repository).map((row) => row.split(" | ")[1])).toEqual(dates);
    expect(report(repository)).toContain("**6 open**: 6 TODO; the oldest is from 1970-01-01.");
  });

  it.each(["docs/to do.md", "LEDGER"])("is written to TODO_LEDGER_FILE: %s", (file) => {
    using repository = new Repository();
    repository.commit({ "a.c": "// TODO x\n" }, ann);
    expect(runAgent(repository, { TODO_LEDGER_FILE: file })).toMatchObject({ code: 0, stderr: "" });
    expect(repository.git("show", "--name-only", "--format=", "HEAD")).toBe(file);
    // Its own words are no comments, whatever language its name stands for.
    expect(runAgent(repository, { TODO_LEDGER_FILE: file }).stdout).toBe(nothingChanged);
  });

  it("is the same from a file beside its parts, in a subfolder, and in any locale and time zone", () => {
    using repository = new Repository();
    repository.commit({ "ü/a b.c": "// TODO größer\n", "x.py": "x = 1 # FIXME\n" }, bob);
    using other = new Repository(repository.folder);
    commitReport(repository, { LC_ALL: "C", TZ: "UTC" });
    const agent = fileURLToPath(new URL("../../../changelings/todo-ledger/agent.sh", import.meta.url));
    const ended = other.run("/bin/sh", ["-c", 'cd ü && exec sh "$1"', "sh", agent], {
      LANG: "C.UTF-8",
      TZ: "Asia/Tokyo",
    });
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(report(other)).toBe(report(repository));
  });
});

describe("since the last report", () => {
  it("makes no commit when nothing changed, also after a formatter padded the tables", () => {
    using repository = new Repository();
    repository.commit({ "a.c": "// TODO one\n", "longer-name.c": "// TODO another one\n" }, ann);
    commitReport(repository);
    const head = repository.git("rev-parse", "HEAD");
    expect(runAgent(repository)).toEqual({ code: 0, stdout: nothingChanged, stderr: "" });
    expect(repository.git("rev-parse", "HEAD")).toBe(head);
    const padded = report(repository).replaceAll(" | ", "   |  ").replaceAll("\n| ", "\n|   ");
    repository.commit({ "TODO-LEDGER.md": padded, "other.c": "int x;\n" }, bob);
    expect(runAgent(repository)).toEqual({ code: 0, stdout: nothingChanged, stderr: "" });
  });

  it("distinguishes new, resolved and moved comments", () => {
    using repository = new Repository();
    repository.commit(
      { "a.c": "// TODO stay\n// FIXME go\n// TODO twice\n// TODO twice\n", "b.c": "// XXX wander\n" },
      ann,
    );
    commitReport(repository);
    repository.commit(
      { "a.c": "\n// TODO stay\n// TODO twice\n// HACK come\n", "b.c": null, "c.c": "// XXX wander\n" },
      bob,
    );
    expect(commitReport(repository)).toBe("Update the TODO ledger: 4 open, 1 new, 2 resolved");
    expect(report(repository)).toContain(`**4 open**: 2 TODO, 1 HACK, 1 XXX; the oldest is from 2021-03-04. \
Since the last report: 1 new, 2 resolved.

## New since the last report

- HACK [a.c:4](a.c#L4): come

## Resolved since the last report

- FIXME a.c:2: go
- TODO a.c:4: twice

## TODO (2)
`);
    repository.commit({ "a.c": "\n\n// TODO stay\n// TODO twice\n// HACK come\n" }, ann);
    expect(commitReport(repository)).toBe("Update the TODO ledger: 4 open, 0 new, 0 resolved");
    repository.commit({ "a.c": null, "c.c": null }, ann);
    expect(commitReport(repository)).toBe("Update the TODO ledger: 0 open, 0 new, 4 resolved");
    expect(report(repository)).toContain("**Nothing is open.** Since the last report: 0 new, 4 resolved.");
    expect(runAgent(repository).stdout).toBe(nothingChanged);
  });

  it("keeps the author of lines that were only indented", () => {
    using repository = new Repository();
    repository.commit({ "a.c": "// TODO x\n" }, ann);
    commitReport(repository);
    repository.commit({ "a.c": "    // TODO x\n" }, bob);
    expect(runAgent(repository).stdout).toBe(nothingChanged);
  });

  it("is deterministic: two runs on one commit write the same bytes", () => {
    using repository = new Repository();
    repository.commit({ "a.c": "// TODO x\n", "b.c": "// TODO x\n" }, ann);
    commitReport(repository);
    repository.commit({ "a.c": "// TODO y\n" }, bob);
    using other = new Repository(repository.folder);
    commitReport(repository);
    commitReport(other);
    expect(report(other)).toBe(report(repository));
  });
});

describe("history", () => {
  it("marks the dates of a shallow clone as bounds, unless an earlier report has the real ones", () => {
    using repository = new Repository();
    repository.commit({ "a.c": "// TODO old\n" }, ann);
    repository.commit({ "b.c": "// TODO middle\n" }, bob);
    repository.commit({ "c.c": "// TODO young\n" }, { author: "Cleo", at: "2024-05-06T00:00:00Z" });
    using shallow = new Repository(repository.folder, "--depth=2");
    commitReport(shallow);
    expect(rows(shallow)).toEqual([
      "TODO | by 2024-01-01 | [a.c:1](a.c#L1) | unknown | old",
      "TODO | by 2024-01-01 | [b.c:1](b.c#L1) | unknown | middle",
      "TODO | 2024-05-06 | [c.c:1](c.c#L1) | Cleo | young",
    ]);
    expect(runAgent(shallow).stdout).toBe(nothingChanged);
    commitReport(repository);
    repository.commit({ "a.c": "\n// TODO old\n" }, bob);
    using later = new Repository(repository.folder, "--depth=1");
    commitReport(later);
    expect(rows(later).map((row) => row.split(" | ").slice(1, 4).join(" "))).toEqual([
      "2021-03-04 [a.c:2](a.c#L2) Ann Able",
      "2024-01-01 [b.c:1](b.c#L1) Bob Baker",
      "2024-05-06 [c.c:1](c.c#L1) Cleo",
    ]);
  });

  it("runs git blame once for each file with comments, however many", () => {
    using repository = new Repository();
    const many = Object.fromEntries(
      Array.from({ length: 3000 }, (_, index) => [`src/${index % 50}/${index}.c`, "int x;\n"]),
    );
    const hits = Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [`hit${index}.c`, "// TODO a\n".repeat(50)]),
    );
    repository.commit({ ...many, ...hits, "prose.md": "TODO no\n" }, ann);
    const bin = join(dirname(repository.folder), "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "git"), '#!/bin/sh\necho "$*" >>"$CALLS"\nPATH=$REAL_PATH exec git "$@"\n');
    chmodSync(join(bin, "git"), 0o755);
    const calls = join(dirname(repository.folder), "calls");
    const path = process.env["PATH"];
    commitReport(repository, { PATH: `${bin}:${path}`, REAL_PATH: path, CALLS: calls });
    const lines = readFileSync(calls, "utf8").trimEnd().split("\n");
    expect(lines.filter((line) => line.startsWith("blame "))).toHaveLength(20);
    expect(lines.length).toBeLessThan(40);
    expect(rows(repository)).toHaveLength(1000);
  });
});
