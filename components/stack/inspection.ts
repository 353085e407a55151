import type { ResolvedChangeling } from "../fleet/kind.ts";
import type { InstallationPaths } from "../host/installation-paths.ts";
import type { FieldChange } from "../lib/field-changes.ts";
import type { ModalObservation, StackOnModal } from "../modal/modal-observation.ts";
import type { Check } from "./check.ts";
import type { CommandState } from "./state.ts";

/** A deployed stack, which the kinds inspect without Pulumi. */
export interface InspectedStack {
  /** Its short name. */
  readonly name: string;
  /** The id of its installation on this machine. */
  readonly installation: string;
  readonly paths: InstallationPaths;
  /** The only provider to query; undefined: all that the stack uses. */
  readonly provider: string | undefined;
  /**
   * What it has on Modal, read once for all kinds, and only if it is needed.
   *
   * @param changeling the only one of interest: Modal is not queried for one that is on this machine
   */
  modal(changeling?: string): Promise<ModalObservation>;
}

/** Whether a command should query this provider. */
export function includesProvider({ provider }: Pick<InspectedStack, "provider">, at: string): boolean {
  return provider === undefined || provider === at;
}

/** A deployed changeling in `list --json`. A kind adds its own properties. */
export type Listed = Pick<ResolvedChangeling, "name" | "kind" | "provider" | "enabled">;

/** The deployed changelings of a kind. */
export interface Listing<Row extends Listed = Listed> {
  readonly changelings: readonly Row[];
  /** The columns of the text table after the name and the provider. */
  readonly columns: readonly string[];
  /** The cells of these columns for each changeling, in the same order. */
  readonly cells: readonly (readonly string[])[];
  /** Problems, each with the command that repairs it. */
  readonly warnings: readonly string[];
  /** Why the listing is incomplete, in words; undefined if it is complete. */
  readonly incomplete?: string | undefined;
}

/** An answer of a command: as JSON, and as text. */
export interface Answer {
  readonly data: unknown;
  readonly text: string;
}

/** The kind has no changeling of that name, not even a removed one with a log. */
export interface NotFound {
  /** The deployed changelings of the kind, for "did you mean". */
  readonly deployed: readonly string[];
  /** Why it may exist anyway. */
  readonly unreached?: string;
}

/** All logins of a kind's pages were ended, for everybody. */
export interface EndedLogins {
  /** The command that prints a new login URL. */
  readonly newLogins: string;
  /** What may restore a login, in words; undefined: nothing. */
  readonly warning?: string | undefined;
}

/** A Command of one of the kind's components that a preview changes. */
export interface PlannedCommand {
  /** Its component's type: `changelings:cron:CronChangeling`. */
  readonly component: string;
  /** Its resource name. */
  readonly name: string;
  readonly action: "add" | "change" | "remove";
  /** Its environment; a secret's value is `[secret]`. Empty if it does not exist before or after. */
  readonly before: Readonly<Record<string, string>>;
  readonly after: Readonly<Record<string, string>>;
  /** The reason for an update that no variable shows: drift, or another release. */
  readonly reason: string | undefined;
}

/** A planned change in words. */
export interface PlannedWords {
  /** Which part of the changeling it is, for JSON: "job", "agent". */
  readonly part: string;
  /** The subject of the sentence, for something that changelings share; undefined: the changeling. */
  readonly title?: string;
  /** The changed fields to show; undefined: all changed variables, of an update only. */
  readonly fields?: readonly FieldChange[];
  /** Effects besides the fields, each a plain sentence that contains no user data. */
  readonly notes?: readonly string[];
}

/** What the stack's fleet file declares of a kind. */
export interface DeclaredPart<Resolved extends ResolvedChangeling = ResolvedChangeling, Settings = object> {
  /** Empty if the file has errors, or is not here. */
  readonly changelings: readonly Resolved[];
  /** The kind's own tables; undefined if the file has errors, or is not here. */
  readonly settings: Settings | undefined;
  readonly mngrProfile: string | undefined;
  /** Neither the stack's settings nor its fleet file are on this machine, so it may be declared elsewhere. */
  readonly isAbsent: boolean;
}

/** What `doctor` reads for all kinds. They run checks that don't depend on it in the meantime. */
export interface Examination<Resolved extends ResolvedChangeling = ResolvedChangeling, Settings = object> {
  /** Whether to run trials and to read histories too, which takes longer. */
  readonly deep: boolean;
  readonly declared: Promise<DeclaredPart<Resolved, Settings>>;
  /** What the stack has on Modal; undefined: nothing, not needed, or not reached, which `doctor` reports once. */
  readonly onModal: Promise<StackOnModal | undefined>;
}

/** The checks of a kind, by subject. */
export interface Diagnosis {
  /** What the fleet file declares: its repositories, … */
  readonly declared?: readonly Check[];
  /** What is deployed, and the daemons that it needs. */
  readonly deployed: readonly Check[];
  readonly onModal?: readonly Check[];
  /** The labels of the snapshots on Modal that it uses; others count as orphans. */
  readonly snapshots?: readonly string[];
}

/** How an installed file differs from the stack's state. */
export interface FileDifference {
  /** The changeling's name. */
  readonly name: string;
  /** The kind of file: "job". */
  readonly file: string;
  /** The consequence of the difference, in words. */
  readonly words: string;
  /** No stack's state contains it, so `up` alone may not remove it. */
  readonly isUnknown?: boolean;
}

/** What the changelings of a kind use on this machine. */
export interface UsedHere {
  /** Absolute paths of folders that need free space. */
  readonly folders: readonly string[];
  readonly mngrProfiles: readonly string[];
}

/** How the CLI shows the deployed changelings of a kind. A command loads it only for kinds that it may concern. */
export interface Inspection<
  Row extends Listed = Listed,
  Resolved extends ResolvedChangeling = ResolvedChangeling,
  Settings = object,
> {
  /** Observes the live state of all its changelings in a constant number of processes. */
  list(stack: InspectedStack): Promise<Listing<Row>>;
  /**
   * What a changeling printed.
   *
   * @param run the id of one of its runs; undefined: the newest
   * @throws if there is nothing to show, with the reason
   */
  logs(stack: InspectedStack, name: string, run: string | undefined): Promise<Answer | NotFound>;
  /** Prints the log and then each addition, until the user stops it. Only for kinds with the verb `logs --follow`. */
  follow?(stack: InspectedStack, name: string, print: (text: string) => void): Promise<never>;
  /**
   * For `revoke --all`: ends all logins of its pages, and the login URLs that were not used yet. Kinds without pages omit it.
   *
   * @returns undefined if this machine has no such page
   * @throws if they are not ended, with how to do it
   */
  endLogins?(stack: InspectedStack): Promise<EndedLogins | undefined>;
  /** What `doctor` shows while `diagnose` runs: "web agents"; by default "this machine". */
  readonly checked?: string;
  /**
   * Checks for `doctor`. Called also for a stack without changelings of the kind, because there may be leftovers.
   *
   * @returns errors too; a rejection is reported for the kind as a whole
   */
  diagnose?(stack: InspectedStack, examination: Examination<Resolved, Settings>): Promise<Diagnosis>;
  /** How its files on this machine differ from the stack's state. Secrets are compared for all kinds. */
  differences?(stack: Pick<InspectedStack, "installation" | "paths">, state: readonly CommandState[]): FileDifference[];
  /** What its installed changelings use on this machine, for the checks of `doctor` that every fleet has. */
  uses?(paths: InstallationPaths): UsedHere;
  /** What `npm start` prints about its changelings at the end: how to use each of them. */
  introduction?(stack: Pick<InspectedStack, "paths" | "provider">): Promise<readonly string[]>;
  /**
   * What a preview changes, in words; undefined if the change is shown elsewhere. Kinds without it get a list of the
   * changed variables. It is not called for secrets.
   */
  describe?(command: PlannedCommand): PlannedWords | undefined;
}
