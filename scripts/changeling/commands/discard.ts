import { existsSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import { type Claim, readClaim } from "../../../components/host/claims.ts";
import { installationPaths } from "../../../components/host/installation-paths.ts";
import { folderOfBackend, identityInWords } from "../../../components/host/stack-identity.ts";
import { printNote } from "../../../components/lib/terminal.ts";
import { leftovers, removeInstallation } from "../../stack/remove-installation.ts";
import { answer, contextOf } from "../context.ts";
import { isHeld } from "../doctor/installations.ts";
import { examples } from "../options.ts";

export function addDiscard(program: Command): void {
  program
    .command("discard")
    .argument("<installation>", "its id, which `changeling doctor` prints", (id) => {
      if (/^[0-9a-f]{12}$/.test(id)) return id;
      throw new InvalidArgumentError("It must be 12 hexadecimal digits.");
    })
    .option(
      "--data",
      "also delete the data that is kept otherwise: of web changelings (with their repositories), of seed agents, and the memory of sandboxes",
    )
    .option("--force", "also if its stack's backend is missing or can't be asked whether the stack still exists")
    .description("remove what a deleted stack left on this machine: its scheduler, jobs, secrets and agents")
    .addHelpText("after", `\n${examples("discard 3f2a9c01d4e7", "discard 3f2a9c01d4e7 --data")}`)
    .action(async (id: string, { data = false, force = false }: Options, command: Command) => {
      const context = contextOf(command);
      const paths = installationPaths(id);
      if (!existsSync(paths.root)) throw new Error(`there is no installation ${id} on this machine (${paths.root})`);
      const claim = readClaim(paths);
      if (claim !== undefined) requireDeleted(claim, id, { isHeld: await isHeld(claim, id), force });
      const deleted = data ? (await leftovers()).flatMap((kind) => kind.data?.(paths) ?? []) : [];
      for (const place of deleted.flatMap(({ places }) => places)) printNote(`Deleting ${place}\n`);
      const kept = await removeInstallation(id, { all: data, repositories: [] });
      const lines = [`${id} is removed.`, ...kept.map((place) => `  kept  ${place}`)];
      answer(context, { installation: id, removed: true, kept }, lines.join("\n"));
    });
}

/**
 * @param isHeld whether the stack still exists and has the installation; undefined if that can't be determined
 * @throws if it does, or may
 */
function requireDeleted(claim: Claim, id: string, at: { isHeld: boolean | undefined; force: boolean }): void {
  const owned = `${id} belongs to the stack ${identityInWords(claim)}`;
  if (at.isHeld) {
    const destroy = `PULUMI_BACKEND_URL='${claim.backend}' npm run pulumi -- destroy --stack ${claim.stack}`;
    throw new Error(`${owned}; remove it with: ${destroy}`);
  }
  if (at.force) return;
  const gone = "if the backend is gone for good, add --force";
  if (at.isHeld === undefined) {
    const login = `npm run pulumi -- login ${claim.backend}`;
    throw new Error(
      `${owned}, and its backend can't be asked whether that still exists; log in with: ${login}\n${gone}`,
    );
  }
  const folder = folderOfBackend(claim.backend);
  // A disk that is not mounted looks like this too.
  if (folder !== undefined && !existsSync(folder)) {
    throw new Error(
      `${owned}, and its backend's folder ${folder} does not exist; mount its disk, or move it back\n${gone}`,
    );
  }
}

interface Options {
  readonly data?: boolean;
  readonly force?: boolean;
}
