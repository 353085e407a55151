import { homedir } from "node:os";
import { error } from "../fleet/diagnostics.ts";
import { here, readOptions, rejectInvalid } from "../fleet/program-options.ts";
import { dependsOnInvalid } from "../fleet/valid-options.ts";
import { absoluteRepo, shownRepo, urlProblem } from "../git/repo-name.ts";
import { sandboxDiagnostics } from "./checks.ts";
import { type DeclaredSandbox, expandedRepo, repositoryName, resolvedSandbox } from "./declared.ts";
import { sandboxTable } from "./options.ts";
import type { McpServer, SandboxProviderName } from "./spec.ts";

/** Options of a sandbox changeling that is declared in a program. Paths are relative to the current folder. */
export interface SandboxChangelingOptions {
  /** `owner/name` on GitHub, a URL, or a path on this machine. */
  readonly repo: string;
  readonly provider?: SandboxProviderName | undefined;
  readonly branch?: string | undefined;
  readonly enabled?: boolean | undefined;
  readonly runtime?: string | undefined;
  readonly runtimeConfig?: Readonly<Record<string, unknown>> | undefined;
  readonly isolation?: "sandbox" | "none" | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly sleepAfterSeconds?: number | undefined;
  readonly cpu?: number | undefined;
  readonly memoryGb?: number | undefined;
  readonly allowDomains?: readonly string[] | undefined;
  readonly userName?: string | undefined;
  readonly userEmail?: string | undefined;
  readonly mcpServers?: Readonly<Record<string, Partial<McpServer>>> | undefined;
  /** As in the fleet file: `"7d"`. */
  readonly snapshotMaxAge?: string | undefined;
  readonly secrets?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly description?: string | undefined;
  readonly renamedFrom?: string | undefined;
}

/**
 * Resolves a program's options for a sandbox changeling, with the same defaults and checks as in a fleet file. Does not
 * check whether the repository exists.
 * @throws ChangelingOptionsError with all errors
 */
export function sandboxOf(name: string, given: SandboxChangelingOptions): DeclaredSandbox {
  const { options, found, invalid } = readOptions(name, given, sandboxTable);
  found.push(...sandboxDiagnostics(options, here).filter((each) => !dependsOnInvalid(each, each.path[0], invalid)));
  const folders = { folder: process.cwd(), home: homedir() };
  const repo = absoluteRepo(expandedRepo(given.repo), folders);
  const repository = repositoryName(repo);
  if (repository === undefined && urlProblem(repo) === undefined) {
    const remedy = 'give "owner/name", an https URL, or a path on this machine';
    found.push(error(["repo"], `a sandbox can't clone ${shownRepo(repo)}`, remedy));
  }
  rejectInvalid(`changeling ${name}`, found);
  return resolvedSandbox(name, options, {
    repository: repository ?? { owner: "", repo: "", url: "" },
    secretsAreExplicit: given.secrets !== undefined,
    ...folders,
  });
}
