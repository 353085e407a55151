import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/**
 * Finds modules that name a kind outside of its own folders and its line in `components/kinds.ts`. A new kind would have to
 * be added to each of them.
 *
 * @param files modules, relative to `folder`
 * @returns each place with the remedy
 */
export function namedKinds(folder: string, files: readonly string[], kinds: readonly string[]): string[] {
  return files
    .filter((file) => !allowed.some((own) => file.startsWith(own)))
    .flatMap((file) => placesIn(file, readFileSync(join(folder, file), "utf8"), kinds));
}

/** Modules that may name any kind, with the reason. */
const allowed: readonly string[] = [
  "components/kinds.ts", // the registry
  "components/secrets/local.ts", // the types of components in people's state, also of programs without the registry
  "components/host/installation-paths.ts", // names of folders on people's machines
  // Hints to people who know a provider from another kind. A new kind needs no line there.
  ...["components/fleet/options.ts", "components/cron/options.ts", "components/seed-agent/options.ts"],
  "components/seed-agent/image/context.ts", // the coding agents' package files, which sandboxes pin
  "scripts/changeling/program.ts", // adds the commands of each kind
  "scripts/stack/start.ts", // fires the example's changeling: the tour of npm start begins with it
  "scripts/changeling/plan/preview.ts", // a schedule's next times, wherever a Command has a SCHEDULE
  "scripts/dev/", // benches, generated docs and the build of each kind
  "scripts/stack/setup/", // what a kind needs is installed before anything of the project can load
];

export function placesIn(file: string, text: string, kinds: readonly string[]): string[] {
  const foreign = kinds.filter((kind) => !isOwn(file, kind));
  if (foreign.length === 0) return [];
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const places: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node)) {
      const kind = foreign.find((each) => names(node.text, each));
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      if (kind !== undefined)
        places.push(`${file}:${line + 1}: names the kind ${kind}; move that to its folder, behind its contract`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return places;
}

/** As a value, as the path of a module, or as a component's type. */
function names(text: string, kind: string): boolean {
  return text === kind || new RegExp(`(?:components/|\\.\\./)${kind}/.*\\.ts$|\\bchangelings:${kind}:`).test(text);
}

function isOwn(file: string, kind: string): boolean {
  return file.startsWith(`components/${kind}/`) || file.startsWith(`scripts/changeling/${kind}/`);
}
