import { homedir } from "node:os";
import type * as z from "zod/mini";
import { AgentTypes, stockWebTypes } from "../fleet/agents.ts";
import { here, readOptions, rejectInvalid } from "../fleet/program-options.ts";
import { dependsOnInvalid } from "../fleet/valid-options.ts";
import type { AddedPath } from "./added-paths.ts";
import { dataDiagnostics, webDiagnostics } from "./checks.ts";
import { type DeclaredWeb, needsModelKey, resolvedWeb, webAgentType } from "./declared.ts";
import { webTable } from "./options.ts";
import type { webSettings } from "./settings.ts";

/** Options of a web changeling that is declared in a program. Paths are relative to the current folder. */
export type WebChangelingOptions = Partial<
  Omit<DeclaredWeb, "name" | "kind" | "secretsAreExplicit" | "requiredSecrets" | "addPaths" | "settings">
> & {
  /** `SRC:DEST` as in the fleet file, or an object with both. */
  readonly addPaths?: readonly (string | AddedPath)[] | undefined;
  /** With the keys of `.changelings/settings.toml`; omitted keys have their defaults. */
  readonly settings?: z.input<typeof webSettings> | undefined;
};

/**
 * Resolves a program's options for a web changeling, with the same defaults and checks as in a fleet file. Does not
 * check whether its source, its added paths and its agent type exist.
 * @throws ChangelingOptionsError with all errors
 */
export function webOf(name: string, given: WebChangelingOptions): DeclaredWeb {
  const addPaths = given.addPaths?.map((path) => (typeof path === "string" ? path : `${path.from}:${path.to}`));
  const { options, found, invalid } = readOptions(name, { ...given, addPaths }, webTable);
  const type = webAgentType(name, options);
  const changeling = resolvedWeb(name, options, {
    folder: process.cwd(),
    home: homedir(),
    needsModelKey: given.needsModelKey ?? needsModelKey(type, new AgentTypes(undefined, stockWebTypes())),
    secretsAreExplicit: given.secrets !== undefined,
  });
  const more = [...webDiagnostics(options, here), ...dataDiagnostics([changeling], homedir(), () => here)];
  found.push(...more.filter((each) => !dependsOnInvalid(each, each.path[0], invalid)));
  rejectInvalid(`changeling ${name}`, found);
  return changeling;
}
