import type * as z from "zod/mini";
import type { Repository } from "../git/refs.ts";
import type { MngrSettings } from "../mngr/settings.ts";
import type { Finding, PlaceOf, Severity } from "./diagnostics.ts";
import type { SharedOptions } from "./options.ts";

/** The documented schemas of a table's keys. */
export type Schemas = Readonly<Record<string, z.core.$ZodType>>;
/** A table as TOML has it. */
export type Table = Readonly<Record<string, unknown>>;
export type Environment = Readonly<Record<string, string | undefined>>;

/** What every changeling has once it is resolved, whatever its kind: all that `components/fleet` knows of one. */
export interface ResolvedChangeling {
  /** Unique in the fleet; `^[a-z][a-z0-9-]{0,39}$`. */
  readonly name: string;
  readonly kind: string;
  readonly provider: string;
  readonly enabled: boolean;
  /** Names of the environment variables whose values the agent gets as secrets. */
  readonly secrets: readonly string[];
  /** Of each group at least one must be set, or `up` is refused. */
  readonly requiredSecrets: readonly (readonly string[])[];
  readonly description: string | undefined;
  readonly renamedFrom: string | undefined;
}

/** One changeling as the file declares it: its own table over `[defaults]`, over the defaults of the options. */
export interface Declaration<Options extends SharedOptions = SharedOptions> {
  readonly name: string;
  readonly kind: string;
  readonly options: Options;
  /** Whether the file says which secrets. */
  readonly secretsAreExplicit: boolean;
  readonly place: PlaceOf;
  /** The options that are wrong, and which a default stands in for. */
  readonly unsound: ReadonlySet<string>;
  /** What `[defaults]` sets and has no effect for this one. */
  readonly passedOver: UnfitOptions;
}

/** Why an option means nothing where it stands. */
export interface Unfit {
  readonly message: string;
  readonly remedy: string;
  readonly severity: Severity;
}

/** By option. */
export type UnfitOptions = ReadonlyMap<string, Unfit>;

/** Everything beside the file that decides what it means. */
export interface LoadContext {
  /** The stack's `changelings:timezone`. */
  readonly timezone?: string;
  /** The stack's `changelings:repo`: a URL, or a path, relative to `folder`. */
  readonly repo?: string;
  /** The project's folder; by default the current one. */
  readonly folder?: string;
  /** Whether this is a CI machine, whose own time zone means nothing. */
  readonly ci: boolean;
  readonly home: string;
  readonly machineTimezone: string;
  /** Whether repositories named by URL are asked for their branches; takes the network. */
  readonly checkRemotes?: boolean;
  /** Where mngr's and git's own variables are read; by default this process's. */
  readonly environment?: Environment;
}

/** What a kind resolves its declarations with. What is read of the machine is read once, whatever the kinds. */
export interface ResolveContext extends LoadContext {
  /** The fleet file's folder: what relative paths in it are relative to. */
  readonly fileFolder: string;
  readonly environment: Environment;
  readonly mngrProfile: string | undefined;
  /** mngr settings of the person and, if given, of a repository on this machine. */
  readonly mngrSettings: MngrSettingsReader;
  /** What can be seen of repositories, by their absolute paths and URLs; one that isn't there wasn't asked. */
  repositories(
    repos: readonly string[],
    options?: { readonly remotesOf?: ReadonlySet<string> },
  ): Promise<ReadonlyMap<string, Repository>>;
}

export interface MngrSettingsReader {
  /** The person's own files, the one that counts most first. */
  readonly personal: readonly string[];
  /** @param repo absolute path; undefined: the person's settings alone */
  of(repo: string | undefined): MngrSettings;
}

export interface Resolution<Resolved> {
  readonly changelings: readonly Resolved[];
  readonly findings: readonly Finding[];
}

/** Keys of the fleet file that belong to one kind, such as `[forwarding]`. */
export interface SettingsTable<Written, Settings> {
  readonly table: z.ZodMiniType<Written> & { readonly shape: Schemas };
  check(written: Written): Finding[];
  resolve(written: Written): Settings;
}

/**
 * A kind of changeling as its fleet file sees it: without Pulumi. See `components/stack/deployment.ts` for the other half.
 * One folder of `components/` and one line in `components/kinds.ts` make a kind.
 */
export interface Kind<
  Options extends SharedOptions = SharedOptions,
  Resolved extends ResolvedChangeling = ResolvedChangeling,
  Written = unknown,
  Settings = object,
> {
  /** What runs, for the reference: "a persistent agent serves web pages". */
  readonly summary: string;
  /** Where its changelings can run. */
  readonly providers: readonly string[];
  /** The options that it has beside those of every kind. */
  readonly options: Schemas;
  /** All its options, but for `kind`. */
  readonly table: z.ZodMiniType<Options> & { readonly shape: Schemas };
  /** What it calls an option of another kind, for who confuses the two. */
  readonly counterparts?: Readonly<Record<string, string>>;
  readonly settings?: SettingsTable<Written, Settings>;
  /** The options that were set and mean nothing, for instance for this provider. */
  unfit(options: Options): UnfitOptions;
  /** What can be said of one changeling's options without looking beyond them. */
  check(options: Options, place: PlaceOf): Finding[];
  /** Decides every option, and checks it against what is around: repositories, mngr's settings, other changelings. */
  resolve(
    declared: readonly Declaration<Options>[],
    context: ResolveContext,
    settings: Written,
  ): Promise<Resolution<Resolved>>;
}

/** All kinds by their names, as the fleet file has them; the first is the default. */
export type Kinds = Readonly<Record<string, Kind>>;

/** The resolved changelings of some kinds: a union that `kind` tells apart. */
export type ChangelingOf<Of extends Kinds> = {
  [Name in keyof Of]: Awaited<ReturnType<Of[Name]["resolve"]>>["changelings"][number];
}[keyof Of];

/** By kind, what its own keys of the file say. */
export type SettingsOf<Of extends Kinds> = {
  readonly [Name in keyof Of]: Of[Name] extends { readonly settings?: { resolve(written: never): infer Settings } }
    ? Settings
    : undefined;
};

/** A fleet: everything that its file declares, every option decided. */
export interface FleetOf<Of extends Kinds> {
  /** Absolute path of the file that declared it. */
  readonly file: string;
  /** mngr profile that puts the fleet's agents aside; undefined: the person's own. */
  readonly mngrProfile: string | undefined;
  readonly settings: SettingsOf<Of>;
  /** In the order of their names. */
  readonly changelings: readonly ChangelingOf<Of>[];
}
