import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { NamedRepo } from "../fleet/checks.ts";
import { type Diagnostic, error, warning } from "../fleet/diagnostics.ts";
import type { Declaration } from "../fleet/kind.ts";
import type { UsableRepository } from "../git/refs.ts";
import { isRepoUrl, shownRepo } from "../git/repo-name.ts";
import { quoted } from "../lib/shell-command.ts";

export interface Machine {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
}

/** Diagnostics for a readable repository: what would break or mislead every run of a cron changeling in it. */
export function runDiagnostics(
  { options, place }: Pick<Declaration, "options" | "place">,
  named: NamedRepo,
  known: UsableRepository,
  machine: Machine,
): Diagnostic[] {
  const { repo, path, source } = named;
  const isUrl = isRepoUrl(repo);
  const isOnModal = options.provider === "modal";
  const found: Diagnostic[] = [];
  for (const ref of known.inTheWay) {
    const isHere = !isUrl && ref.startsWith("refs/heads/");
    // Locally, run branches can't be created; on a remote, only pushing them fails.
    if (isHere === isOnModal && !isUrl) continue;
    const where = isHere ? repo : isUrl ? shownRepo(repo) : ref.slice("refs/remotes/".length, -"/changelings".length);
    const message = `the branch "changelings" of ${where} keeps git from having branches changelings/… there, which runs work on`;
    const remedy = isHere
      ? `rename it: git -C ${quoted(repo)} branch -m changelings <another name>`
      : "rename it there, and delete the old one";
    found.push((isHere || isOnModal ? error : warning)(path, source + message, remedy));
  }
  if (isUrl) return found;
  if (known.isBare && !isOnModal) {
    const message = `${repo} is a bare repository, and agents need a checkout`;
    found.push(
      error(
        path,
        source + message,
        `git clone ${quoted(repo)} <folder> and name that, or write repo = "file://${repo}"`,
      ),
    );
  }
  if (known.tags.has(options.branch) && known.branches.has(options.branch)) {
    const message = `a tag of ${repo} is named "${options.branch}" too, and git takes that when an agent names the branch`;
    found.push(
      warning(
        place("branch"),
        message,
        `rename the tag, or delete it: git -C ${quoted(repo)} tag -d ${quoted(options.branch)}`,
      ),
    );
  }
  if (repo === machine.home) {
    const message = "the repository is the whole home folder";
    // The user did not choose the repository that happens to contain the fleet file.
    const remedy = 'write repo = "<path or URL>"';
    found.push(
      (path.length === 0 ? error : warning)(path.length === 0 ? place("repo") : path, source + message, remedy),
    );
  }
  if (existsSync(join(repo, ".gitmodules"))) {
    const message = "its submodules are empty folders for the agents: git creates work trees and clones without them";
    found.push(
      warning(path, source + message, "if they need them, say so in initial_message: git submodule update --init"),
    );
  }
  if (!isOnModal && usesLfs(repo) && !isOnPath("git-lfs", machine.environment)) {
    const message = "its files are kept with Git LFS, and git-lfs is not installed: agents can't check them out";
    found.push(warning(path, source + message, "apt-get install git-lfs, or brew install git-lfs"));
  }
  return found;
}

/** Based on the file at the root of the checkout only. */
function usesLfs(repo: string): boolean {
  try {
    return /^[^#\n].*\bfilter=lfs\b/m.test(readFileSync(join(repo, ".gitattributes"), "utf8"));
  } catch {
    return false;
  }
}

function isOnPath(program: string, { PATH = "" }: Machine["environment"]): boolean {
  return PATH.split(delimiter).some((folder) => folder !== "" && existsSync(join(folder, program)));
}
