import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { projectFolder } from "../../../scripts/stack/project.ts";
import { anchorsOf, linksOf, markdownFiles } from "../../support/markdown.ts";

const files = markdownFiles();

/** What is wrong with a link of that file; undefined when it resolves. */
function brokenLink(path: string, link: string): string | undefined {
  if (/^(https?:|mailto:)/.test(link)) return;
  const [target = "", anchor] = link.split("#");
  const file = target === "" ? path : normalize(join(dirname(path), target));
  if (file.startsWith("..") || !existsSync(join(projectFolder, file))) return `${path}: no file ${link}`;
  if (anchor === undefined) return;
  if (!file.endsWith(".md") || statSync(join(projectFolder, file)).isDirectory()) return `${path}: no anchors ${link}`;
  const anchors = anchorsOf(readFileSync(join(projectFolder, file), "utf8"));
  return anchors.has(anchor) ? undefined : `${path}: no heading ${link}`;
}

it("every relative link and picture of every Markdown file leads to a file, and its anchor to a heading", () => {
  // Prompts and the stock repositories' files are read elsewhere than here, but have no links that lead out of them.
  const links = files.flatMap(({ path, text }) => linksOf(text).map((link) => ({ path, link })));
  expect(links.length).toBeGreaterThan(50);
  expect(links.flatMap(({ path, link }) => brokenLink(path, link) ?? [])).toEqual([]);
});

describe("a broken link", () => {
  it.each([
    ["docs/nothing.md", "README.md: no file docs/nothing.md"],
    ["docs/tutorial.md#nothing", "README.md: no heading docs/tutorial.md#nothing"],
    ["#nothing", "README.md: no heading #nothing"],
    ["../outside.md", "README.md: no file ../outside.md"],
    ["LICENSE#x", "README.md: no anchors LICENSE#x"],
  ])("%s is found", (link, reported) => {
    expect(brokenLink("README.md", link)).toBe(reported);
  });

  it("is not looked for in code", () => {
    expect(linksOf('[a](b) `[c](d)`\n```\n[e](f)\n```\n<img src="g">\n[h]: i\n')).toEqual(["b", "i", "g"]);
  });
});

it("anchors are made as GitHub makes them", () => {
  const text =
    "# A `b`: c-d, e_f!\n## [Keys](x) of `[forwarding]`\n## Same\n## Same\n```\n# code\n```\n## What can't\n";
  expect([...anchorsOf(text)]).toEqual(["a-b-c-d-e_f", "keys-of-forwarding", "same", "same-1", "what-cant"]);
});

it("the README has at most 200 lines", () => {
  expect(readFileSync(join(projectFolder, "README.md"), "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(200);
});

it("every guide in docs/ is linked from docs/README.md, and each folder's main ones from the README", () => {
  const guides = files.map(({ path }) => path).filter((path) => path.startsWith("docs/") && path !== "docs/README.md");
  const index = linksOf(readFileSync(join(projectFolder, "docs/README.md"), "utf8"));
  const linked = new Set(index.map((link) => normalize(join("docs", link.split("#")[0] ?? ""))));
  expect(guides.filter((path) => !linked.has(path))).toEqual([]);
});
