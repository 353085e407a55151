import { join } from "node:path";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";
import { providers as ofCron } from "../../../components/cron/providers.ts";
import { kinds } from "../../../components/kinds.ts";
import { providers as ofWeb } from "../../../components/web/providers.ts";

const root = join(import.meta.dirname, "../../..");

/** The modules that load at once with this one, without those that it imports on demand. */
async function loadedWith(module: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [module],
    absWorkingDir: root,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    metafile: true,
    write: false,
    splitting: true,
    outdir: "unused",
  });
  const loaded = new Set<string>();
  const load = (file: string) => {
    if (loaded.has(file)) return;
    loaded.add(file);
    for (const { path, kind, external } of metafile.inputs[file]?.imports ?? [])
      if (kind === "import-statement" && external !== true) load(path);
  };
  load(module);
  return [...loaded];
}

it.each([
  ["cron", kinds.cron, ofCron],
  ["web", kinds.web, ofWeb],
] as const)("every provider of kind %s has an entry", (_name, kind, providers) => {
  expect(Object.keys(providers)).toEqual([...kind.providers]);
});

describe("a fleet without a provider does not load it", () => {
  it.each(["components/cron/deploy.ts", "components/web/deploy.ts"])("%s", async (module) => {
    const loaded = await loadedWith(module);
    expect(loaded).toContain(module);
    // The checks of options are small, and Docker's client belongs to the forwarding server.
    const heavy = /^components\/(modal\/(client|rpc|cli)|(cron|web)\/(modal|docker)\/(observe|deploy|machine))/;
    expect(loaded.filter((path) => heavy.test(path))).toEqual([]);
  });
});
