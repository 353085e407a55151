import { shown } from "../lib/literal-secrets.ts";
import { type Diagnostic, error } from "./diagnostics.ts";
import { namePattern } from "./values.ts";

/** The diagnostic for an invalid name; undefined for a valid one. */
export function nameDiagnostic(name: string): Diagnostic | undefined {
  if (namePattern.test(name)) return undefined;
  const rule = "a lower-case letter, then up to 39 lower-case letters, digits or -";
  const meant = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+|-+$/g, "")
    .slice(0, 40);
  const remedy = namePattern.test(meant) ? `write [changelings.${meant}]` : "give it another name";
  return error(["changelings", name], `${shown(name)} is not a valid name for a changeling: ${rule}`, remedy);
}

/** Diagnostics for a fleet's renames: only one changeling may have a former name, and no other may use it now. */
export function renameDiagnostics(formerNames: ReadonlyMap<string, string>, names: ReadonlySet<string>): Diagnostic[] {
  const takenBy = new Map<string, string>();
  const found: Diagnostic[] = [];
  for (const [name, former] of formerNames) {
    const path = ["changelings", name, "renamed_from"];
    const other = takenBy.get(former);
    if (former === name) {
      found.push(error(path, `${name} is its own former name`, "remove the line"));
    } else if (names.has(former)) {
      found.push(
        error(
          path,
          `two changelings would use the name ${former}: it is declared too`,
          `remove [changelings.${former}], or this line`,
        ),
      );
    } else if (other !== undefined) {
      found.push(
        error(
          path,
          `two changelings would use the name ${former}: ${other} was renamed from it too`,
          "remove one of the two lines",
        ),
      );
    } else {
      takenBy.set(former, name);
    }
  }
  return found;
}
