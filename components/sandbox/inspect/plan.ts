import { fieldChanges } from "../../lib/field-changes.ts";
import type { PlannedCommand, PlannedWords } from "../../stack/inspection.ts";

/** Not shown: they mean nothing to a person, or are described in words instead. */
const notFields = new Set(["name", "installation", "drift", "enabled", "renamed_from", "egress_is_limited", "owner"]);
/** The fields to show for a new changeling. */
const fieldsOfNew = ["provider", "url", "branch", "runtime", "isolation", "allow_domains"];

/** Describes a preview's change of one of its Commands. */
export function describeSandbox(command: PlannedCommand): PlannedWords | undefined {
  if (command.component.endsWith(":SessionService")) {
    const isWorker = command.name.endsWith("-worker");
    return { part: "sessions", title: isWorker ? "The sessions' worker on Cloudflare" : "The session service" };
  }
  const { action, before, after } = command;
  if (action === "remove")
    return { part: "sandbox", fields: [], notes: ["its sandboxes are ended; the memory of its repository is kept"] };
  const changes = fieldChanges(before, after).filter(({ field }) => !notFields.has(field));
  if (action === "add") {
    const fields = fieldsOfNew.flatMap((name) => changes.filter(({ field }) => field === name));
    return { part: "sandbox", fields, notes: after["ENABLED"] === "no" ? ["no session can be started"] : [] };
  }
  const notes = [
    ...(before["ENABLED"] === after["ENABLED"]
      ? []
      : [after["ENABLED"] === "yes" ? "sessions can be started" : "no session can be started any more"]),
    ...(changes.length === 0 ? [] : ["sessions that run keep what they were started with"]),
  ];
  return { part: "sandbox", fields: changes, notes };
}
