import { homedir } from "node:os";
import * as z from "zod/mini";
import { isConversational } from "../fleet/agents.ts";
import type { DeclaredCron } from "../fleet/changeling.ts";
import { cronFindings, settleFindings } from "../fleet/checks.ts";
import { error, type Finding, type PlaceOf, pathInWords } from "../fleet/diagnostics.ts";
import { nameFinding } from "../fleet/names.ts";
import { cronTable } from "../fleet/options.ts";
import { isOfStandIn, soundOptions } from "../fleet/sound-options.ts";
import { remoteOfUrl } from "../git/remote.ts";
import { absoluteRepo, isRepoUrl, urlFault } from "../git/repo-name.ts";
import { withoutSecrets } from "../lib/literal-secrets.ts";
import { resolvedCron } from "./declared.ts";

/** Options of a changeling that is declared in a program. */
export type ChangelingOptions = Partial<
  Omit<DeclaredCron, "name" | "kind" | "secretsAreExplicit" | "snapshotMaxAge">
> & {
  /** An absolute path or a URL. */
  readonly repo: string;
  /** As in the fleet file (`"7d"`), or in seconds. */
  readonly snapshotMaxAge?: string | number | undefined;
};

/** The options of a changeling in a program, or of the forwarding server, are not valid. */
export class ChangelingOptionsError extends Error {
  /** The option as a program names it (`timeoutSeconds`), and what is wrong with what remedy. */
  readonly faults: readonly { readonly option: string; readonly reason: string }[];
  /** Pulumi's mark of an error that a program prints without its stack (`pulumi.RunError.isInstance`). */
  readonly __pulumiRunError = true;

  /** @param of whom, in words */
  constructor(of: string, faults: ChangelingOptionsError["faults"]) {
    super(`${of}: ${faults.map(({ option, reason }) => `${option}: ${reason}`).join("; ")}`);
    this.name = "ChangelingOptionsError";
    this.faults = faults;
  }
}

/**
 * A cron changeling from a program's options, with the same defaults and the same checks as from a fleet file. A
 * schedule that fires often is taken as meant; whether the repository and the agent type exist is not looked up.
 * @throws ChangelingOptionsError with all faults at once
 */
export function changelingOf(name: string, given: ChangelingOptions): DeclaredCron {
  const { snapshotMaxAge: age } = given;
  const snapshotMaxAge = typeof age === "number" ? `${age}s` : age;
  const { options, found, unsound } = readOptions(name, { ...given, snapshotMaxAge, allowFrequent: true }, cronTable);
  const talks = given.isConversational ?? isConversational(options.agent_type ?? name);
  const more = [...cronFindings(options, here), ...(talks ? settleFindings(options, here) : [])];
  found.push(...more.filter((each) => !isOfStandIn(each, each.path[0], unsound)));
  const remote = options.provider === "modal" ? cloneUrl(given, found) : undefined;
  refuseFaults(`changeling ${name}`, found);
  return resolvedCron(name, options, {
    timezone: options.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    repo: absoluteRepo(given.repo, { folder: process.cwd(), home: homedir() }),
    remote,
    isConversational: talks,
    secretsAreExplicit: given.secrets !== undefined,
  });
}

/** In a program an option stands where its name does. */
export const here: PlaceOf = (...path) => path;

/** A changeling's options as the file's table of the kind has them; where one is wrong, its default stands in. */
export function readOptions<Shape extends z.core.$ZodShape>(
  name: string,
  given: object,
  schema: z.ZodMiniObject<Shape, z.core.$strict>,
) {
  const read = readTable(given, schema);
  const wrongName = nameFinding(name);
  if (wrongName !== undefined) read.found.unshift({ ...wrongName, path: ["name"] });
  return read;
}

/** As `readOptions`, of any table of the file. */
export function readTable<Shape extends z.core.$ZodShape>(
  given: object,
  schema: z.ZodMiniObject<Shape, z.core.$strict>,
) {
  const table: Record<string, unknown> = {};
  for (const key of Object.keys(schema.shape)) {
    const value: unknown = Reflect.get(given, camelCase(key));
    if (value !== undefined && key !== "kind") table[key] = value;
  }
  const found: Finding[] = [];
  const { table: sound, unsound } = soundOptions(table, [], found, schema.shape);
  return { options: z.parse(schema, sound), found, unsound };
}

/** @param of whom, in words */
export function refuseFaults(of: string, found: readonly Finding[]): void {
  const errors = found.filter(({ severity }) => severity === "error");
  if (errors.length === 0) return;
  const faults = errors.map(({ path: [option, ...rest], message, remedy }) => ({
    option: withoutSecrets(pathInWords([camelCase(String(option)), ...rest])),
    reason: withoutSecrets(`${message}; ${remedy}`),
  }));
  throw new ChangelingOptionsError(of, faults);
}

/** Where agents on Modal clone from; what keeps it from being told becomes a finding. */
function cloneUrl({ repo, remote }: ChangelingOptions, found: Finding[]): string | undefined {
  if (remote === undefined && !isRepoUrl(repo)) {
    const message = "agents on Modal clone the repository by https, and where this one has its remote is not looked up";
    found.push(error(["repo"], message, 'give remote: "https://…", or the URL as repo'));
    return undefined;
  }
  const clone = remoteOfUrl(remote ?? repo);
  if ("url" in clone) return clone.url;
  // What is wrong with a URL in itself was found before, where it is the repository's.
  if (remote !== undefined) found.push(error(["remote"], clone.message, clone.remedy));
  else if (urlFault(repo) === undefined) found.push(error(["repo"], clone.message, clone.remedy));
  return undefined;
}

function camelCase(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
