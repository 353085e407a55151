/**
 * Reloads versions of 100 kB, one after another, and prints the memory of this process in MB,
 * early and late: `node reloads-program.ts COUNT`.
 * Each version is compiled, started beside the former one, called, and replaces it; every tenth fails to start.
 */
import { compile } from "../../../components/seed-agent/program/hot-reload/compile.ts";
import { findFence } from "../../../components/seed-agent/program/hot-reload/fence.ts";
import { versionHosts } from "../../../components/seed-agent/program/hot-reload/host.ts";
import type { VersionHost } from "../../../components/seed-agent/program/hot-reload/version-host.ts";
import { aRequest, given, limits } from "./versions.ts";

const count = Number(process.argv[2]);
const startHost = versionHosts(await findFence("auto"));
let former: VersionHost | undefined;
const measured: { readonly rss: number; readonly held: number }[] = [];

for (let round = 0; round < count; round++) {
  const isBroken = round % 10 === 9;
  const words = JSON.stringify(Array.from({ length: 10_000 }, (_, index) => `word ${round} ${index}`));
  const text = `const words = ${words};\n${isBroken ? "throw new Error('broken');\n" : ""}export default ({ path }: any) => {
    if (path === "/throw") throw new Error(words[1]);
    return { status: 200, body: words[0] };
  };`;
  const compiled = await compile({ "handle.ts": text });
  if ("diagnostics" in compiled) throw new Error(JSON.stringify(compiled.diagnostics));
  const host = await startHost({ id: `v${round}`, bundle: compiled.built.bundle }, limits).catch((error) => {
    if (!isBroken) throw error;
    return undefined;
  });
  if (host !== undefined) {
    const { response } = await host.handle(aRequest(), given());
    if (response.body !== `word ${round} 0`) throw new Error(`v${round} answered ${response.body}`);
    // An error is located by the version's source map, which must not stay either.
    await host.handle(aRequest({ path: "/throw" }), given()).catch(() => {});
    await former?.end();
    former = host;
  }
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  measured.push({ rss: rss / 1e6, held: (heapUsed + external) / 1e6 });
}
await former?.end();
const part = Math.ceil(count / 4);
const of = (name: "rss" | "held") => ({
  early: median(measured.slice(part, 2 * part).map((each) => each[name])),
  late: median(measured.slice(-part).map((each) => each[name])),
});
process.stdout.write(JSON.stringify({ rss: of("rss"), held: of("held") }));
// esbuild's process would keep it.
process.exit(0);

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
