import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { namedKinds, placesIn } from "../../../../../scripts/dev/check/kind-names.ts";

const kinds = ["cron", "web"];
const lines = (file: string, text: string) => placesIn(file, text, kinds).map((place) => place.split(" names")[0]);

it.each([
  ["a value", 'const isWeb = kind === "web";'],
  ["a template without values", "const kind = `cron`;"],
  ["an import", 'import { list } from "../../components/web/inspect/list.ts";'],
  ["an import from a neighbour", 'import { list } from "../web/inspect/list.ts";'],
  ["an import on demand", 'const { list } = await import("../../components/cron/list.ts");'],
  ["the type of a component", 'const urn = "**::changelings:web:WebChangeling**";'],
])("%s names a kind", (_what, text) => {
  expect(lines("scripts/stack/start.ts", `\n${text}`)).toEqual(["scripts/stack/start.ts:2:"]);
  expect(lines("components/fleet/load.ts", `\n${text}`)).toEqual(["components/fleet/load.ts:2:"]);
});

it.each([
  ["a word in a sentence", 'const text = "a web changeling";'],
  ["a name in the code", "const web = { cron: 1 };"],
  ["another module", 'import { page } from "../website/page.ts";'],
  ["a comment", '// kind = "web"'],
])("%s does not", (_what, text) => {
  expect(lines("scripts/stack/start.ts", text)).toEqual([]);
});

it("lets a kind name itself, and not another", () => {
  const text = 'const all = ["web",\n "cron"];';
  expect(lines("components/web/kind.ts", text)).toEqual(["components/web/kind.ts:2:"]);
  expect(lines("scripts/changeling/cron/run.ts", text)).toEqual(["scripts/changeling/cron/run.ts:1:"]);
});

const folder = mkdtempSync(join(tmpdir(), "kind-names-"));
afterAll(() => rmSync(folder, { recursive: true }));

it("reports every module but the registry", async () => {
  const files = ["components/kinds.ts", "components/lib/text.ts", "index.ts"];
  for (const file of files) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), 'export const kind = "web";\n');
  }
  const remedy = "move that to its folder, behind its contract";
  expect(namedKinds(folder, files, kinds)).toEqual([
    `components/lib/text.ts:1: names the kind web; ${remedy}`,
    `index.ts:1: names the kind web; ${remedy}`,
  ]);
});
