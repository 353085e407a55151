import type * as z from "zod/mini";
import type { Repository } from "../git/refs.ts";
import type { InstallationPaths } from "../host/installation-paths.ts";
import type { MngrSettings } from "../mngr/settings.ts";
import type { Diagnostic, KeyPathOf, Severity } from "./diagnostics.ts";
import type { Applies } from "./documented.ts";
import type { SharedOptions } from "./options.ts";
import type { Verbs } from "./verbs.ts";

/** The documented schemas of a table's keys. */
export type Schemas = Readonly<Record<string, z.core.$ZodType>>;
/** A parsed TOML table. */
export type Table = Readonly<Record<string, unknown>>;
export type Environment = Readonly<Record<string, string | undefined>>;

/** The properties of every resolved changeling, whatever its kind: all that `components/fleet` knows about it. */
export interface ResolvedChangeling {
  /** Unique in the fleet; `^[a-z][a-z0-9-]{0,39}$`. */
  readonly name: string;
  readonly kind: string;
  readonly provider: string;
  readonly enabled: boolean;
  /** Names of the environment variables that the agent gets as secrets. */
  readonly secrets: readonly string[];
  /** At least one secret of each group must be set; otherwise `up` is rejected. */
  readonly requiredSecrets: readonly (readonly string[])[];
  readonly description: string | undefined;
  readonly renamedFrom: string | undefined;
}

/** A changeling as the file declares it: its own table, over `[defaults]`, over the options' defaults. */
export interface Declaration<Options extends SharedOptions = SharedOptions> {
  readonly name: string;
  readonly kind: string;
  readonly options: Options;
  /** Whether the file sets its secrets. */
  readonly secretsAreExplicit: boolean;
  readonly place: KeyPathOf;
  /** The invalid options, which were replaced by defaults. */
  readonly invalid: ReadonlySet<string>;
  /** Options in `[defaults]` that have no effect for this changeling. */
  readonly ignoredDefaults: UnfitOptions;
}

/** Why an option has no effect where it is set. */
export interface Unfit {
  readonly message: string;
  readonly remedy: string;
  readonly severity: Severity;
}

/** By option. */
export type UnfitOptions = ReadonlyMap<string, Unfit>;

/** The context that determines what the file means. */
export interface LoadContext {
  /** The stack's `changelings:timezone`. */
  readonly timezone?: string;
  /** The stack's `changelings:repo`: a URL, or a path, relative to `folder`. */
  readonly repo?: string;
  /** The project's folder; by default the current one. */
  readonly folder?: string;
  /** Whether this is a CI machine, whose time zone is arbitrary. */
  readonly ci: boolean;
  readonly home: string;
  /** Called only if nothing else sets the time zone: determining it takes 20 ms. */
  readonly machineTimezone: () => string;
  /** Whether to query repositories that are declared by URL, which needs the network. */
  readonly checkRemotes?: boolean;
  /** The source of mngr's and git's own variables; by default this process's. */
  readonly environment?: Environment;
}

/** The context in which a kind resolves its declarations. The machine is read only once for all kinds. */
export interface ResolveContext extends LoadContext {
  /** The fleet file's folder, to which relative paths in it are resolved. */
  readonly fileFolder: string;
  readonly environment: Environment;
  readonly mngrProfile: string | undefined;
  /** The mngr settings of the user and, if given, of a local repository. */
  readonly mngrSettings: MngrSettingsReader;
  /** The observed repositories, by absolute path or URL. A missing one was not queried. */
  repositories(
    repos: readonly string[],
    options?: { readonly remotesOf?: ReadonlySet<string> },
  ): Promise<ReadonlyMap<string, Repository>>;
}

export interface MngrSettingsReader {
  /** The user's own settings files, by descending precedence. */
  readonly personal: readonly string[];
  /** @param repo absolute path; undefined for the user's settings alone */
  of(repo: string | undefined): MngrSettings;
}

export interface Resolution<Resolved> {
  readonly changelings: readonly Resolved[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Keys of the fleet file that belong to one kind, such as `[forwarding]`. */
export interface SettingsTable<Written, Settings> {
  readonly table: z.ZodMiniType<Written> & { readonly shape: Schemas };
  check(written: Written): Diagnostic[];
  resolve(written: Written): Settings;
}

/** A changeling that has a file on this machine. */
export interface KnownChangeling {
  readonly name: string;
  /** Why it is not deployed any more although its data is kept, in words; undefined if it is deployed. */
  readonly removed?: string;
}

/**
 * A kind of changeling as its fleet file sees it: without Pulumi. See `components/stack/deployment.ts` for the other
 * half. A new kind takes one folder in `components/` and one line in `components/kinds.ts`.
 */
export interface Kind<
  Options extends SharedOptions = SharedOptions,
  Resolved extends ResolvedChangeling = ResolvedChangeling,
  Written = unknown,
  Settings = object,
> {
  /** One clause for the reference: "a persistent agent serves web pages". */
  readonly summary: string;
  /** The term for one of its changelings in messages: "web changeling". */
  readonly noun: string;
  /** Which commands of the CLI it has, and what to do instead of the others. */
  readonly verbs: Verbs;
  /** The providers that its changelings can run on. */
  readonly providers: readonly string[];
  /** The suffixes of its Commands, whose names are `<changeling>-<suffix>`. */
  readonly commandSuffixes: readonly string[];
  /** Its own options, in addition to those of every kind. */
  readonly options: Schemas;
  /** The schema of all its options, except `kind`. */
  readonly table: z.ZodMiniType<Options> & { readonly shape: Schemas };
  /** Its equivalent of another kind's option, for users who confuse the two. */
  readonly counterparts?: Readonly<Record<string, string>>;
  readonly settings?: SettingsTable<Written, Settings>;
  /** Where its options apply, if not everywhere. Its `check` reports those that are set elsewhere. */
  readonly applies?: Readonly<Record<string, Applies | undefined>>;
  /**
   * Whether its changelings can be found without a file on this machine, for instance on Modal. Then the CLI inspects
   * the kind in every stack.
   */
  readonly isFoundAnywhere?: boolean;
  /** The kind's changelings that have a file on this machine. The CLI finds the kind of a name with them. */
  known(paths: InstallationPaths): readonly KnownChangeling[];
  /** Checks one changeling's options in isolation. */
  check(options: Options, place: KeyPathOf): Diagnostic[];
  /** Resolves every option, and checks it against its context: repositories, mngr's settings, other changelings. */
  resolve(
    declared: readonly Declaration<Options>[],
    context: ResolveContext,
    settings: Written,
  ): Promise<Resolution<Resolved>>;
}

/** All kinds, by their names in the fleet file. The first is the default. */
export type Kinds = Readonly<Record<string, Kind>>;

/** The resolved changelings of some kinds: a union discriminated by `kind`. */
export type ChangelingOf<Of extends Kinds> = {
  [Name in keyof Of]: Awaited<ReturnType<Of[Name]["resolve"]>>["changelings"][number];
}[keyof Of];

/** By kind, the resolved settings from its own keys of the file. */
export type SettingsOf<Of extends Kinds> = {
  readonly [Name in keyof Of]: Of[Name] extends { readonly settings?: { resolve(written: never): infer Settings } }
    ? Settings
    : object;
};

/** A fleet: everything that its file declares, with every option resolved. */
export interface FleetOf<Of extends Kinds> {
  /** Absolute path of the fleet file. */
  readonly file: string;
  /** The mngr profile that keeps the fleet's agents apart; undefined for the user's own. */
  readonly mngrProfile: string | undefined;
  readonly settings: SettingsOf<Of>;
  /** Sorted by name. */
  readonly changelings: readonly ChangelingOf<Of>[];
}
