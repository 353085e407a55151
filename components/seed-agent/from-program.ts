import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { here, readOptions, rejectInvalid } from "../fleet/program-options.ts";
import { dependsOnInvalid } from "../fleet/valid-options.ts";
import { absolutePath } from "../git/repo-name.ts";
import { goalDiagnostics, seedAgentDiagnostics } from "./checks.ts";
import { type DeclaredSeedAgent, resolvedSeedAgent } from "./declared.ts";
import { seedAgentTable } from "./options.ts";
import type { SeedAgentProviderName } from "./spec.ts";

/** Options of a seed agent that is declared in a program. Paths are relative to the current folder. */
export interface SeedAgentChangelingOptions {
  readonly provider?: SeedAgentProviderName | undefined;
  readonly enabled?: boolean | undefined;
  readonly replicas?: number | undefined;
  readonly port?: number | undefined;
  readonly mode?: "off" | "propose" | "auto" | undefined;
  readonly model?: "claude" | "codex" | undefined;
  /** The path of a Markdown file. */
  readonly goal?: string | undefined;
  readonly probationSeconds?: number | undefined;
  readonly changesPerDay?: number | undefined;
  readonly usdPerDay?: number | undefined;
  readonly volumeGb?: number | undefined;
  readonly app?: string | undefined;
  readonly organization?: string | undefined;
  readonly region?: string | undefined;
  readonly context?: string | undefined;
  readonly namespace?: string | undefined;
  readonly containerImage?: string | undefined;
  readonly storageClass?: string | undefined;
  readonly destroyData?: boolean | undefined;
  readonly rotate?: number | undefined;
  readonly secrets?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly description?: string | undefined;
  readonly renamedFrom?: string | undefined;
}

/**
 * Resolves a program's options for a seed agent, with the same defaults and checks as in a fleet file.
 * @throws ChangelingOptionsError with all errors
 */
export function seedAgentOf(name: string, given: SeedAgentChangelingOptions = {}): DeclaredSeedAgent {
  const { options, found, invalid } = readOptions(name, given, seedAgentTable);
  found.push(...seedAgentDiagnostics(options, here).filter((each) => !dependsOnInvalid(each, each.path[0], invalid)));
  const file =
    options.goal === undefined ? undefined : absolutePath(options.goal, { folder: process.cwd(), home: homedir() });
  const goal = file === undefined ? undefined : textOf(file);
  if (file !== undefined) found.push(...goalDiagnostics(goal, file, here));
  rejectInvalid(`changeling ${name}`, found);
  return resolvedSeedAgent(name, options, { goal, secretsAreExplicit: given.secrets !== undefined });
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
