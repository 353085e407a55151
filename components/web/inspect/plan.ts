import { parse } from "smol-toml";
import { isTable } from "../../fleet/zod-issues.ts";
import { type FieldChange, fieldChanges } from "../../lib/field-changes.ts";
import type { PlannedCommand, PlannedWords } from "../../stack/inspection.ts";
import { settingsToml, webSettings } from "../settings.ts";

/**
 * Not shown as fields. DRIFT is shown as the reason; ENABLED, SETTINGS and the effects of removal in words. The others are
 * of no use to a user.
 */
const notFields = new Set(["name", "installation", "drift", "enabled", "settings", "secrets_digest", "renamed_from"]);
/** The fields to show for a new changeling. */
const reportNew = ["provider", "source", "branch", "commit", "agent_type", "add_paths", "data", "remote"];

/** Describes the planned change of one of its Commands. */
export function describeWeb(command: PlannedCommand): PlannedWords | undefined {
  if (!command.component.endsWith(":ForwardingServer")) return { part: "agent", ...agentWords(command) };
  // The image that its container starts from shows as a field of the server itself.
  return command.name.endsWith("-image") ? undefined : { part: "forwarding", title: "The forwarding server" };
}

/** Describes what the next `up` does to an agent, from its Command's environment before and after. */
function agentWords({ action, before, after, reason }: PlannedCommand): Pick<PlannedWords, "fields" | "notes"> {
  if (action === "remove") {
    const goes = before["DESTROY_DATA"] === "yes";
    return {
      fields: [],
      notes: [goes ? "its data and its repository are deleted for good" : "its data and its repository are kept"],
    };
  }
  const changed = fieldChanges(before, after).filter(({ field }) => !notFields.has(field));
  if (action === "add") {
    const isScratch = after["SOURCE"] === undefined;
    const wanted = isScratch ? reportNew.filter((field) => field !== "branch") : reportNew;
    const fields = wanted.flatMap((field) => changed.filter((each) => each.field === field));
    const notes = isScratch ? ["its repository is created from scratch"] : [];
    return { fields, notes: after["ENABLED"] === "no" ? [...notes, "it is not started"] : notes };
  }
  const fields = [...changed, ...settingChanges(before["SETTINGS"], after["SETTINGS"])];
  const notes = [...switchedNotes(before["ENABLED"], after["ENABLED"])];
  // The environment only contains the secrets' encrypted digest, so infer a rotation if nothing else differs.
  const isRotated = fields.length + notes.length === 0 && reason === undefined;
  return { fields, notes: isRotated ? ["a secret has a new value"] : notes };
}

function switchedNotes(before: string | undefined, after: string | undefined): string[] {
  if (before === after) return [];
  return [after === "yes" ? "its agent is started" : "its agent is stopped"];
}

/** Setting by setting; without a settings file, the built-in defaults apply. */
function settingChanges(before: string | undefined, after: string | undefined): FieldChange[] {
  if (before === after) return [];
  const changes = fieldChanges(flat(before), flat(after));
  if (changes.length > 0) return changes.map((change) => ({ ...change, field: `settings.${change.field}` }));
  const words = (text: string | undefined) => (text === undefined ? undefined : "the defaults, as a file");
  return [{ field: "settings", before: words(before), after: words(after) }];
}

function flat(toml: string | undefined): Record<string, string> {
  return Object.fromEntries(leaves(parse(toml ?? settingsToml(webSettings.parse({})))));
}

function leaves(value: unknown, path: readonly string[] = []): [string, string][] {
  if (!isTable(value)) return [[path.join("."), JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, below]) => leaves(below, [...path, key]));
}
