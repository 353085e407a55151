import { join } from "node:path";
import { build } from "esbuild";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../../../..");

/** Loading the SDK takes as long as loading everything else, so commands import it only when they need it. */
it("the changeling command starts without Pulumi's SDK", async () => {
  const { metafile } = await build({
    entryPoints: ["scripts/changeling/changeling.ts"],
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
  const [main] = Object.values(metafile.outputs).filter(
    ({ entryPoint }) => entryPoint === "scripts/changeling/changeling.ts",
  );
  const loaded = new Set<string>();
  const load = (imports: NonNullable<typeof main>["imports"]) => {
    for (const { path, kind } of imports) {
      if (kind !== "import-statement" || loaded.has(path)) continue;
      loaded.add(path);
      load(metafile.outputs[path]?.imports ?? []);
    }
  };
  load(main?.imports ?? []);
  expect([...loaded].filter((path) => path.startsWith("@pulumi/") || path === "commander")).toEqual(["commander"]);
});
