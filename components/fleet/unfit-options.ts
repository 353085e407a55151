import type { Severity } from "./fault.ts";
import { type OptionKey, type Options, optionsTable } from "./options.ts";

/** Why an option means nothing where it stands. */
export interface Unfit {
  readonly message: string;
  readonly remedy: string;
  readonly severity: Severity;
}

const preset: Options = optionsTable.parse({});

const ofModal = ["image", "history_depth", "allow_unpushed", "snapshot_max_age", "verify"] as const;
const ofPinned = ["history_depth", "allow_unpushed"] as const;

/** The options that were set and mean nothing for a changeling of this provider and image. */
export function unfitOptions(options: Options): ReadonlyMap<OptionKey, Unfit> {
  const unfit = new Map<OptionKey, Unfit>();
  const refuse = (keys: readonly OptionKey[], why: (key: OptionKey) => Omit<Unfit, "severity">, severity: Severity) => {
    for (const key of keys) {
      if (isSet(options, key)) unfit.set(key, { ...why(key), severity });
    }
  };
  if (options.provider === "local") {
    refuse(ofModal, (key) => needs(key, 'provider = "modal"'), "error");
    refuse(["build_args"], () => noBuild, "error");
    return unfit;
  }
  if (options.image !== "pinned") refuse(ofPinned, (key) => needs(key, 'image = "pinned"'), "error");
  if (options.image !== "snapshot") refuse(["snapshot_max_age"], (key) => needs(key, 'image = "snapshot"'), "error");
  refuse(["catch_up"], () => neverSleeps, "warning");
  return unfit;
}

const noBuild = {
  message: 'the provider "local" takes no build arguments: it builds no image or host',
  remedy: "remove the line, or write build_args = []",
};

const neverSleeps = {
  message: 'catch_up means nothing for the provider "modal", whose schedules never sleep',
  remedy: "remove the line",
};

function needs(key: OptionKey, setting: string): Omit<Unfit, "severity"> {
  return { message: `${key} is for ${setting} alone`, remedy: `remove the line, or write ${setting}` };
}

function isSet(options: Options, key: OptionKey): boolean {
  const value = options[key];
  return Array.isArray(value) ? value.length > 0 : value !== preset[key];
}
