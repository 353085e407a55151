import type { Kind } from "./changeling.ts";
import type { Severity } from "./diagnostics.ts";
import { type CronOptions, cronTable, kindOfOption, type OptionKey, type WebOptions } from "./options.ts";

/** Why an option means nothing where it stands. */
export interface Unfit {
  readonly message: string;
  readonly remedy: string;
  readonly severity: Severity;
}

export type UnfitOptions = ReadonlyMap<OptionKey, Unfit>;

/** What one kind calls what the other does: for who confuses them. */
const counterparts: Partial<Record<OptionKey, OptionKey>> = {
  repo: "source",
  source: "repo",
  timeout_seconds: "start_timeout_seconds",
  start_timeout_seconds: "timeout_seconds",
};

/** Why the option can't stand in a changeling of the kind; undefined: it can. */
export function unfitForKind(key: OptionKey, kind: Kind): Unfit | undefined {
  const of = kindOfOption(key);
  if (of === undefined || of === kind) return undefined;
  const other = counterparts[key];
  const remedy = `${other === undefined ? "remove the line" : `write ${other} instead`}, or write kind = "${of}"`;
  return { message: `${key} is only for kind = "${of}"`, remedy, severity: "error" };
}

const preset = cronTable.parse({});
const ofModal = ["image", "history_depth", "allow_unpushed", "snapshot_max_age", "verify"] as const;
const ofPinned = ["history_depth", "allow_unpushed"] as const;

/** The options that were set and mean nothing for a cron changeling of this provider and image. */
export function unfitCronOptions(options: CronOptions): UnfitOptions {
  const unfit = new Map<OptionKey, Unfit>();
  const refuse = <Key extends OptionKey & keyof CronOptions>(keys: readonly Key[], why: (key: Key) => Unfit) => {
    for (const key of keys) {
      if (isSet(options[key], preset[key])) unfit.set(key, why(key));
    }
  };
  if (options.provider === "local") {
    refuse(ofModal, (key) => needs(key, 'provider = "modal"'));
    refuse(["build_args"], () => noBuild);
    return unfit;
  }
  if (options.image !== "pinned") refuse(ofPinned, (key) => needs(key, 'image = "pinned"'));
  if (options.image !== "snapshot") refuse(["snapshot_max_age"], (key) => needs(key, 'image = "snapshot"'));
  refuse(["catch_up"], () => neverSleeps);
  refuse(["catch_up_within"], () => ({
    ...neverSleeps,
    message: 'catch_up_within has no effect for the provider "modal", whose schedules never sleep',
  }));
  refuse(["fetch"], () => alwaysClones);
  return unfit;
}

/** The options that were set and mean nothing for a web changeling of this provider, or that is made from scratch. */
export function unfitWebOptions(options: WebOptions): UnfitOptions {
  const unfit = new Map<OptionKey, Unfit>();
  if (options.provider === "local" && options.build_args.length > 0) unfit.set("build_args", noBuild);
  if (options.source === undefined && options.branch !== preset.branch) unfit.set("branch", noSource);
  return unfit;
}

const noBuild: Unfit = {
  message: 'the provider "local" takes no build arguments: it builds no image or host',
  remedy: "remove the line, or write build_args = []",
  severity: "error",
};

const noSource: Unfit = {
  message: "branch is only for a changeling with a source: other repositories are created from scratch",
  remedy: 'remove the line, or write source = "<path or URL>"',
  severity: "error",
};

const neverSleeps: Unfit = {
  message: 'catch_up has no effect for the provider "modal", whose schedules never sleep',
  remedy: "remove the line",
  severity: "warning",
};

const alwaysClones: Unfit = {
  message: 'fetch has no effect for the provider "modal", whose agents always clone',
  remedy: "remove the line",
  severity: "warning",
};

function needs(key: OptionKey, setting: string): Unfit {
  return {
    message: `${key} is only for ${setting}`,
    remedy: `remove the line, or write ${setting}`,
    severity: "error",
  };
}

function isSet(value: unknown, preset: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== preset;
}
