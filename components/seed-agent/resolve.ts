import { readFile } from "node:fs/promises";
import { type Diagnostic, error, foundWith } from "../fleet/diagnostics.ts";
import type { Declaration, Resolution, ResolveContext } from "../fleet/kind.ts";
import { absolutePath } from "../git/repo-name.ts";
import { goalDiagnostics, sharedPorts } from "./checks.ts";
import { type DeclaredSeedAgent, resolvedSeedAgent } from "./declared.ts";
import type { SeedAgentOptions } from "./options.ts";

/** The seed agents, resolved and checked against their goals' files and each other. */
export async function resolveSeedAgents(
  declarations: readonly Declaration<SeedAgentOptions>[],
  { fileFolder, home }: ResolveContext,
): Promise<Resolution<DeclaredSeedAgent>> {
  const diagnostics: Diagnostic[] = [];
  const changelings = await Promise.all(
    declarations.map(async ({ name, options, place, secretsAreExplicit }) => {
      const file = options.goal === undefined ? undefined : absolutePath(options.goal, { folder: fileFolder, home });
      const goal = file === undefined ? undefined : await readFile(file, "utf8").catch(() => undefined);
      if (file !== undefined) diagnostics.push(...foundWith(name, goalDiagnostics(goal, file, place)));
      return resolvedSeedAgent(name, options, { goal, secretsAreExplicit });
    }),
  );
  const places = new Map(declarations.map(({ name, place }) => [name, place]));
  for (const [name, { port, other }] of sharedPorts(changelings)) {
    const message = `${other.name} also uses the port ${port} of this machine`;
    const remedy = `write another port, such as port = ${other.spec.port + other.spec.replicas}`;
    diagnostics.push(...foundWith(name, [error(places.get(name)?.("port") ?? [], message, remedy)]));
  }
  return { changelings, diagnostics };
}
