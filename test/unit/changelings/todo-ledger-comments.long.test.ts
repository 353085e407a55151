import { existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { Repository } from "../../support/repository.ts";
import { ann, commitReport, listed, nothingChanged, report, rows, runAgent } from "../../support/todo-ledger.ts";

describe("the comments that are listed", () => {
  const cases: [path: string, content: string, expected: string[]][] = [
    ["a.ts", "f(); // TODO: x", ["TODO a.ts:1 x"]],
    ["a.ts", "const s = '// TODO no'; const t = \"/* FIXME no */\";", []],
    ["a.ts", "const s = `\n// TODO no\n`; // FIXME yes", ["FIXME a.ts:3 yes"]],
    ["a.ts", "/* one\n * TODO two\n */ let y; // HACK three", ["TODO a.ts:2 two", "HACK a.ts:3 three"]],
    ["a.ts", "const url = f(http://x/TODO);", []],
    ["a.rs", "fn f<'a>(x: &'a str) {} // TODO lifetimes", ["TODO a.rs:1 lifetimes"]],
    ["a.py", '"""Doc.\n\nTODO: in a docstring\n"""\nx = """\nTODO no\n"""\n', ["TODO a.py:3 in a docstring"]],
    ["a.py", "s = 'it\\'s # TODO no' #FIXME: yes", ["FIXME a.py:1 yes"]],
    ["a.sh", `x=\${y#TODO} # TODO: real\necho "# TODO no"; echo $# TODO`, ["TODO a.sh:1 real"]],
    ["tool", "#!/usr/bin/env bash\ntrue # TODO by its first line", ["TODO tool:2 by its first line"]],
    ["tool", "#!/usr/bin/env node\nf() // TODO js", ["TODO tool:2 js"]],
    ["a.sql", "select '-- TODO no'; -- TODO yes\n/* FIXME too */", ["FIXME a.sql:2 too", "TODO a.sql:1 yes"]],
    ["a.lua", "--[[ TODO block\nHACK two ]] x = 1 -- XXX", ["TODO a.lua:1 block", "HACK a.lua:2 two"]],
    ["a.hs", "{- TODO a -} x = '\"' -- FIXME b", ["TODO a.hs:1 a"]],
    ["a.html", "<p>TODO no</p> <!-- TODO yes --> <p>FIXME no", ["TODO a.html:1 yes"]],
    ["a.md", "# TODO list\n<!-- FIXME: yes -->\n", ["FIXME a.md:2 yes"]],
    ["a.css", "a { } /* HACK for old ones */ // TODO no", ["HACK a.css:1 for old ones"]],
    ["a.el", '(x) ; TODO yes\n(y "; TODO no")', ["TODO a.el:1 yes"]],
    ["a.tex", "a % TODO cite", ["TODO a.tex:1 cite"]],
    ["Makefile", "all: # TODO more", ["TODO Makefile:1 more"]],
    ["Dockerfile.dev", "# TODO smaller", ["TODO Dockerfile.dev:1 smaller"]],
    [".gitignore", "# TODO sort", ["TODO .gitignore:1 sort"]],
    ["main.tf", "a = 1 # TODO x\n// FIXME y", ["FIXME main.tf:2 y", "TODO main.tf:1 x"]],
    ["notes", "TODO no\n  # TODO yes\nx # TODO no\n; HACK yes\n", ["TODO notes:2 yes", "HACK notes:4 yes"]],
    ["a.c", "// TODO(ann): x", ["TODO a.c:1 (ann): x"]],
    ["a.c", "// TODO - x   y\t z ", ["TODO a.c:1 x y z"]],
    ["a.c", "// x; TODO y /* z */", ["TODO a.c:1 y /\\* z \\*/"]],
    ["a.c", "// TODOS, todo, MYTODO, TODO_X, FIXME2, XXXX", []],
    ["a.c", '// the TODO-LEDGER, src/TODO.md, "TODO", `FIXME` and pre-HACK; XXX: y', ["XXX a.c:1 y"]],
    ["a.c", "/* TODO one */ x /* FIXME two */", ["TODO a.c:1 one"]],
    ["a.c", "// TODO x\r\n// FIXME y\r\n", ["FIXME a.c:2 y", "TODO a.c:1 x"]],
    ["a.c", "// TODO without a newline at the end", ["TODO a.c:1 without a newline at the end"]],
  ];
  let found: string[];
  beforeAll(() => {
    found = listed(Object.fromEntries(cases.map(([path, content], index) => [`${index}/${path}`, content])));
  });

  it.each(cases.map((each, index) => [index, ...each] as const))("%i/%s: %j", (index, path, _content, expected) => {
    const here = found.filter((line) => line.includes(` ${index}/${path}:`));
    expect(here.map((line) => line.replace(`${index}/`, ""))).toEqual(expected);
  });

  it("are those of tracked text files, except generated and vendored ones", () => {
    using repository = new Repository();
    repository.commit(
      {
        ".gitattributes":
          "gen/* linguist-generated=true\nthird/** linguist-vendored\nout.c linguist-generated\n*.dat binary\n",
        "gen/a.c": "// TODO\n",
        "third/a/b.c": "// TODO\n",
        "out.c": "// TODO\n",
        "blob.c": Buffer.from("// TODO\n\0\n"),
        "a.dat": "# TODO\n",
        "mine.c": "// TODO yes\n",
      },
      ann,
    );
    symlinkSync("mine.c", join(repository.folder, "link.c"));
    repository.git("add", "link.c");
    repository.git("-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "link");
    repository.write({ "untracked.c": "// TODO\n" });
    commitReport(repository);
    expect(rows(repository)).toEqual(["TODO | 2021-03-04 | [mine.c:1](mine.c#L1) | Ann Able | yes"]);
    expect(repository.git("status", "--porcelain")).toBe("?? untracked.c");
  });
});

describe("file names", () => {
  it("may contain any character", () => {
    using repository = new Repository();
    const names = ["a b.c", "-n.c", 'qu"ote.c', "it's.c", "back\\slash.c", "new\nline.c", "tab\there.c", "1:2:x.c"];
    const more = ["[x](y) | z.c", "$(touch pwned).c", "%41.c", "ü€.c", "*.c", "HEAD:a.c", "\u0001.c", "file\tx.c"];
    const files = [...names, ...more, "dir with\nnewline/a.c"];
    repository.commit(Object.fromEntries(files.map((name, index) => [name, `// TODO number ${index}\n`])), ann);
    commitReport(repository);
    const found = rows(repository).map((row) => {
      const [, since, where, who, text] = row.split(" | ");
      expect([since, who]).toEqual(["2021-03-04", "Ann Able"]);
      const url = /\]\(([^()]*)#L1\)$/.exec(where ?? "")?.[1] ?? "";
      return [decodeURIComponent(url), text] as const;
    });
    expect(Object.fromEntries(found)).toEqual(
      Object.fromEntries(files.map((name, index) => [name, `number ${index}`])),
    );
    expect(report(repository)).toContain("| [ü€.c:1](ü€.c#L1) |");
    expect(report(repository)).toContain('| ["new\\\\nline.c":1](new%0Aline.c#L1) |');
    expect(existsSync(join(repository.folder, "pwned"))).toBe(false);
    expect(runAgent(repository).stdout).toBe(nothingChanged);
  });

  it("may contain any bytes, and are linked", () => {
    const character = fc.constantFrom(
      ...("aZ09 .-_:\"'\\`$()[]{}<>|&;*?!#%~^=+,@\n\t\r\u0001\u007fé€😀".match(/./gsu) ?? []),
    );
    const name = fc.string({ unit: character, minLength: 1, maxLength: 12 }).map((text) => `x${text}x.c`);
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 20 }), (names) => {
        using repository = new Repository();
        repository.commit(Object.fromEntries(names.map((path) => [path, "// FIXME\n"])), ann);
        commitReport(repository);
        const urls = rows(repository).map(
          (row) => /:1\]\((\S*)#L1\) \| Ann Able \| \(no words\)$/.exec(row)?.[1] ?? row,
        );
        expect(urls.map(decodeURIComponent).sort()).toEqual([...names].sort());
      }),
      { numRuns: 8, examples: [[["x](x.c"]]] },
    );
  });
});
