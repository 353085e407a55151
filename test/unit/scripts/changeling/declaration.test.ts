import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addPathAsWritten, declaredTable, freeName, nameOf } from "../../../../scripts/changeling/web/declaration.ts";

let home: string;
let folders: { home: string; cwd: string };
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "declare-"));
  folders = { home, cwd: join(home, "src") };
  mkdirSync(join(home, "src", "elena"), { recursive: true });
  writeFileSync(join(home, "notes.md"), "");
});
afterAll(() => rmSync(home, { recursive: true }));

describe("declaredTable", () => {
  it("writes what was said and nothing else, in a fixed order", () => {
    const table = declaredTable(
      { source: "https://github.com/me/elena", branch: "next", provider: "modal", addPath: ["~/notes.md:docs/n.md"] },
      folders,
    );
    expect(Object.entries(table)).toEqual([
      ["kind", "web"],
      ["source", "https://github.com/me/elena"],
      ["branch", "next"],
      ["provider", "modal"],
      ["add_paths", ["~/notes.md:docs/n.md"]],
    ]);
    expect(declaredTable({ agentType: "chat" }, folders)).toEqual({ kind: "web", agent_type: "chat" });
  });

  it.each([
    ["elena", "~/src/elena"],
    ["./elena/", "~/src/elena"],
    ["~/src/elena", "~/src/elena"],
    ["/tmp", "/tmp"],
    ["git@example.com:me/elena.git", "git@example.com:me/elena.git"],
  ])("writes the source %s as the fleet file's folder does not matter to it: %s", (source, written) => {
    expect(declaredTable({ source }, folders)["source"]).toBe(written);
  });

  it("refuses a source that is neither a URL nor there", () => {
    expect(() => declaredTable({ source: "github.com/me/elena" }, folders)).toThrow(
      "github.com/me/elena is neither a git URL nor a folder that exists; write https://… or a path of a git repository",
    );
  });

  it.each([
    ["notes.md", "write SRC:DEST"],
    [":docs", "write SRC:DEST"],
    ["../notes.md:", "write SRC:DEST"],
    ["notes.md:docs/notes.md", "/.*/notes.md does not exist"],
  ])("refuses --add-path %s", (text, message) => {
    expect(() => addPathAsWritten(text, folders)).toThrow(new RegExp(`^--add-path ${text}: ${message}`));
  });

  it("takes the last colon of SRC:DEST", () => {
    writeFileSync(join(home, "a:b"), "");
    expect(addPathAsWritten("../a:b:c", folders)).toBe("~/a:b:c");
  });
});

describe("nameOf", () => {
  it.each([
    [{ source: "https://github.com/me/Elena_Code.git" }, "elena-code"],
    [{ source: "https://github.com/me/elena/?x=1" }, "elena"],
    [{ source: "git@example.com:elena.git" }, "elena"],
    [{ source: "ssh://git@example.com/~me/élan" }, "elan"],
    [{ source: "/srv/4-elena", agentType: "chat" }, "elena"],
    [{ agentType: "chat" }, "chat"],
    [{ agentType: "42" }, undefined],
    [{}, undefined],
  ])("makes of %j %s", (options, name) => {
    expect(nameOf(options)).toBe(name);
  });

  it("makes names that a fleet file can have, and free ones too", () => {
    fc.assert(
      fc.property(fc.string(), (agentType) => {
        const name = nameOf({ agentType });
        if (name === undefined) return;
        expect(name).toMatch(/^[a-z][a-z0-9-]{0,39}$/);
        const free = freeName(name, new Set([name, `${name}-2`]));
        expect(free).toMatch(/^[a-z][a-z0-9-]{0,39}$/);
        expect(free).not.toBe(name);
      }),
    );
  });
});
