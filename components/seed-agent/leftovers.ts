import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { asError } from "../lib/as-error.ts";
import { printNote } from "../lib/terminal.ts";
import type { Leftovers } from "../stack/deployment.ts";
import { installedSeedAgents, readSeedAgent } from "./installed.ts";
import { namesIn } from "./local/node.ts";
import { localProvider } from "./local/provider.ts";
import { openProvider } from "./providers.ts";

export const seedAgentLeftovers: Leftovers = {
  async remove(installation, paths, { all }) {
    const { seedAgents: folder } = paths;
    if (!existsSync(folder)) return [];
    const kept: string[] = [];
    // A killed `up` can leave nodes without a record.
    const local = new Set([...namesIn(join(folder, "nodes")), ...namesIn(join(folder, "data"))]);
    for (const name of installedSeedAgents(paths)) {
      const spec = specOf(() => readSeedAgent(paths, name)?.spec);
      if (spec === undefined || spec.provider === "local") local.add(name);
      else {
        const provider = await openProvider(spec.provider);
        const places = await provider.remove(name, { installation, folder, spec, destroyData: all });
        kept.push(...places);
      }
    }
    for (const name of local)
      kept.push(...(await localProvider.remove(name, { installation, folder, destroyData: all })));
    for (const name of ["specs", "nodes"]) rmSync(join(folder, name), { recursive: true, force: true, maxRetries: 3 });
    if (namesIn(join(folder, "data")).length === 0) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    return kept;
  },
};

/** @returns undefined if the record was edited by hand; then only nodes on this machine are removed */
function specOf<Spec>(read: () => Spec): Spec | undefined {
  try {
    return read();
  } catch (error) {
    printNote(`warning: ${asError(error).message}\n`);
    return undefined;
  }
}
