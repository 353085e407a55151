import { join } from "node:path";
import { build } from "esbuild";
import { expect, it } from "vitest";
import { schedulerProgram } from "../../../../components/cron/local/state.ts";
import { programFiles } from "../../../../components/host/supervision/program-version.ts";
import { forwardingProgram } from "../../../../components/web/forwarding/state.ts";

const components = join(import.meta.dirname, "../../../../components");

it.each([
  ["the scheduler", schedulerProgram],
  ["the forwarding server", forwardingProgram],
  ["the forwarding server in Docker", "web/forwarding/docker/main"],
])("%s is restarted when any module that a bundler puts into it changes, and for no other", async (_, main) => {
  const { metafile } = await build({
    entryPoints: [`${main}.ts`],
    absWorkingDir: components,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    metafile: true,
    write: false,
  });
  const modules = programFiles(main).filter((file) => file.endsWith(".ts"));
  expect(modules).toEqual(Object.keys(metafile.inputs).sort());
});

it("is restarted for the scripts that it runs, too", () => {
  expect(programFiles(schedulerProgram)).toContain("cron/local/runs/run-command.sh");
  expect(programFiles(schedulerProgram)).toContain("lib/mask.awk");
});
