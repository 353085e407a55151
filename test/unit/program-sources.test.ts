import { join } from "node:path";
import { build } from "esbuild";
import { expect, it } from "vitest";
import { schedulerSources } from "../../components/cron/local/state.ts";
import { commonSources } from "../../components/supervision/program-version.ts";
import { forwardingSources } from "../../components/web/forwarding/state.ts";

const components = join(import.meta.dirname, "../../components");

it.each([
  ["the scheduler", "cron/local/main.ts", schedulerSources],
  ["the forwarding server", "web/forwarding/program/main.ts", forwardingSources()[0]],
])("%s is restarted when any module that it is made of changes", async (_, main, sources) => {
  const { metafile } = await build({
    entryPoints: [main],
    absWorkingDir: components,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    metafile: true,
    write: false,
  });
  const named = [...commonSources, ...sources];
  const forgotten = Object.keys(metafile.inputs).filter(
    (module) => !named.some((source) => module === `${source}.ts` || module.startsWith(`${source}/`)),
  );
  expect(forgotten).toEqual([]);
});
