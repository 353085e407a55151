import { join, relative } from "node:path";
import type { DeclaredWeb, Provider } from "../fleet/changeling.ts";
import type { PlaceOf } from "../fleet/checks.ts";
import { error, type Finding } from "../fleet/diagnostics.ts";

/**
 * What is wrong with where changelings keep their data: each place must be one that can be deleted whole, and is one
 * changeling's.
 * @param placeOf says where options of the changeling of that name stand
 */
export function dataFindings(
  changelings: readonly DeclaredWeb[],
  home: string,
  placeOf: (name: string) => PlaceOf,
): Finding[] {
  const found: Finding[] = [];
  const before: DeclaredWeb[] = [];
  for (const changeling of changelings) {
    const { name, data, provider } = changeling;
    if (data === undefined) continue;
    const path = placeOf(name)("data");
    const isFolder = provider === "local";
    const shares = (of: string) => of === data || (isFolder && (holds(data, of) || holds(of, data)));
    const other = before.find((each) => each.provider === provider && each.data !== undefined && shares(each.data));
    if (isFolder && holds(data, join(home, ".changelings"))) {
      found.push(error(path, `${data} holds more than its data`, anotherPlace(provider)));
    } else if (other !== undefined) {
      found.push(error(path, `${data} is where ${other.name} keeps its data`, anotherPlace(provider)));
    }
    before.push(changeling);
  }
  return found;
}

function anotherPlace(provider: Provider): string {
  return provider === "local"
    ? 'write a folder of its own, such as data = "~/elena"'
    : 'write a volume of its own, such as data = "elena"';
}

/** Whether the path is the folder, or below it. */
function holds(folder: string, path: string): boolean {
  const below = relative(folder, path);
  return below === "" || !/^\.\.(\/|$)/.test(below);
}
