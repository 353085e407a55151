import { fieldChanges } from "../../lib/field-changes.ts";
import type { PlannedCommand, PlannedWords } from "../../stack/inspection.ts";

/** They mean nothing to a user, or are shown in words. */
const notFields = new Set(
  "name installation drift enabled renamed_from values credentials release goal destroy_data".split(" "),
);
/** The fields to show for a new changeling. */
const fieldsOfNew = ["provider", "replicas", "port", "mode", "model", "app", "region", "namespace", "image"];

/** Describes a preview's change of one of its Commands. */
export function describeSeedAgent(command: PlannedCommand): PlannedWords | undefined {
  const { action, before, after, name } = command;
  if (name.endsWith("-credentials")) return credentialsInWords(command);
  if (action === "remove") {
    const data = before["DESTROY_DATA"] === "yes" ? "its data is deleted" : "its data is kept";
    return { part: "service", fields: [], notes: [`its nodes are removed; ${data}`] };
  }
  const changes = fieldChanges(before, after).filter(({ field }) => !notFields.has(field));
  if (action === "add") {
    const fields = fieldsOfNew.flatMap((each) => changes.filter(({ field }) => field === each));
    return { part: "service", fields, notes: after["ENABLED"] === "no" ? ["it is not started"] : [] };
  }
  const changed = (variable: string) => before[variable] !== after[variable];
  const notes = [
    ...(changed("ENABLED") ? [after["ENABLED"] === "yes" ? "it is started" : "it is stopped; its data is kept"] : []),
    ...(changed("GOAL") ? ["it gets a new goal"] : []),
    ...(changed("RELEASE") ? ["its nodes get a new release of the service, one after another"] : []),
    ...(changed("CREDENTIALS") ? ["its nodes get new credentials"] : []),
    ...(changed("PROVIDER") ? [`its data on ${before["PROVIDER"]} is kept there, and is not moved`] : []),
  ];
  return { part: "service", fields: changes, notes };
}

function credentialsInWords({ action, before, after }: PlannedCommand): PlannedWords {
  const notes = {
    add: ["its cookie and control token are generated"],
    change: before["ROTATE"] === after["ROTATE"] ? [] : ["a new cookie and control token are generated"],
    remove: ["its cookie and control token are deleted"],
  };
  return { part: "credentials", fields: [], notes: notes[action] };
}
