import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { projectFolder } from "../../../scripts/stack/project.ts";
import { markdownFiles, projectFiles } from "../../support/markdown.ts";

const files = projectFiles();
const packageJson = z.object({ name: z.string(), exports: z.record(z.string(), z.unknown()) });
const { name, exports } = packageJson.parse(JSON.parse(readFileSync(join(projectFolder, "package.json"), "utf8")));

/** Names that are not of a file of the project. */
const others = new Set([
  // Imports of the package.
  ...Object.keys(exports).map((path) => join(name, path)),
  // Written by a release, and by a stock agent.
  ...["RELEASE_SUMMARY.md", "TODO-LEDGER.md"],
  // Examples.
  ...["x.command.ts", "a.ts", "lib/words.ts"],
]);

/** Each file and folder, also by the last parts of its path: text names it as seen from where it is. */
const known = new Set(
  files.flatMap((file) => {
    const parts = file.split("/");
    return parts.flatMap((_, from) =>
      parts.slice(from).map((_, length) => parts.slice(from, from + length + 1).join("/")),
    );
  }),
);

const named = /(?<![\w/.@~-])((?:\.{1,2}\/)*(?:[\w.-]+\/)*[\w.-]*\w\/?)(?![\w/-])/g;

/** The paths in a text that look like ones of the project, and of which no file has the name. */
function unknownPaths(text: string): string[] {
  return [...text.matchAll(named)].flatMap(([, path = ""]) => {
    const isOurs = /^(components|scripts|test|docs|changelings)\/|\.(ts|mjs|py|sh|md)$/.test(path);
    const isEnding = /^\.[\w.]+$/.test(path);
    const plain = path.replace(/^(\.{1,2}\/)+/, "").replace(/\/$/, "");
    return !isOurs || isEnding || known.has(plain) || others.has(plain) ? [] : [path];
  });
}

function codeSpans(markdown: string): string {
  return [...markdown.replace(/^( *)```.*?^ *```/gms, "").matchAll(/`([^`\n ]+)`/g)].map(([span]) => span).join("\n");
}

function comments(source: string): string {
  return [...source.matchAll(/(?:^\s*(?:\/\/|\/?\*|#)|\s\/\/\s)(.*)$/gm)].map(([, text]) => text).join("\n");
}

it("every path that the documentation names exists", () => {
  // The prompts of the stock agents and their common part speak of other repositories.
  const guides = markdownFiles().filter(
    ({ path }) => !/^changelings\/.+\/|^changelings\/common|\/sandbox\/image\/app\//.test(path),
  );
  const wrong = guides.flatMap(({ path, text }) =>
    unknownPaths(codeSpans(text)).map((unknown) => `${path}: ${unknown}`),
  );
  expect(guides.length).toBeGreaterThan(30);
  expect(wrong).toEqual([]);
});

it("every path that a comment names exists", () => {
  const sources = files.filter((file) => /^(components|scripts|test|index)\b.*\.(ts|mjs|py|sh)$/.test(file));
  const wrong = sources.flatMap((file) =>
    unknownPaths(comments(readFileSync(join(projectFolder, file), "utf8"))).map((unknown) => `${file}: ${unknown}`),
  );
  expect(sources.length).toBeGreaterThan(1000);
  expect(wrong).toEqual([]);
});

it("every part of a folder that docs/architecture.md describes is in that folder", () => {
  const text = readFileSync(join(projectFolder, "docs/architecture.md"), "utf8");
  const rows = [...text.matchAll(/^\| `((?:components|scripts)\/[\w/-]*)\/` \| (.*) \|$/gm)];
  const parts = rows.flatMap(([, folder = "", words = ""]) =>
    [...words.matchAll(/`([\w/-]+)\/`/g)].map(([, part = ""]) => ({ folder, part })),
  );
  expect(parts.length).toBeGreaterThan(20);
  const isThere = (path: string) => files.some((file) => file.startsWith(`${path}/`));
  expect(parts.filter(({ folder, part }) => !isThere(part) && !isThere(`${folder}/${part}`))).toEqual([]);
});

describe("a path", () => {
  it.each([
    ["`components/nothing.ts`", ["components/nothing.ts"]],
    ["`test/nothing/`", ["test/nothing/"]],
    ["see ../nothing.ts.", ["../nothing.ts"]],
    ["`fleet/nothing.ts:12`", ["fleet/nothing.ts"]],
  ])("%s is found", (text, paths) => {
    expect(unknownPaths(text)).toEqual(paths);
  });

  it.each([
    "`components/kinds.ts`",
    "see kinds.ts",
    "`test/unit/`",
    "~/mine.ts",
    "/tmp/mine.ts",
    "a file *.test.ts",
    "v1.2.3",
  ])("%s is none, or exists", (text) => {
    expect(unknownPaths(text)).toEqual([]);
  });
});
