import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { withSecretFile } from "../host/secret-file.ts";
import { type ProgramEnd, runProgram } from "../lib/process.ts";
import { printNote } from "../lib/terminal.ts";
import { envFileText } from "../mngr/env-file.ts";
import { destroyPlaceholderArguments, placeholderArguments, snapshotArguments } from "../mngr/machine-arguments.ts";
import { createdFrom, errorLine } from "../mngr/output.ts";
import { modalEnvironment } from "../modal/environment.ts";
import type { ModalToken } from "../modal/token.ts";
import type { Modal } from "../modal/types.ts";
import { type SnapshotDeclaration, snapshotLabel } from "./snapshot.ts";

export interface PlaceholderContext {
  readonly client: Modal;
  /** mngr's environment on Modal. */
  readonly environment: string;
  /** The machine's owner: mngr's user id on Modal. */
  readonly userId: string;
  readonly prefix: string;
  readonly token: ModalToken;
  /** The user's mngr settings for creating machines, as TOML: templates, and `providers.modal`. */
  readonly settings: string;
  /** The token for cloning. */
  readonly gitToken: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

const createSeconds = 900;
const snapshotSeconds = 600;
const otherSeconds = 120;
/** The lifetime of a placeholder that could not be destroyed. */
const lifeSeconds = 1800;

const cloneScript = join(dirname(fileURLToPath(import.meta.url)), "clone-for-snapshot.sh");
/** A label of mngr's hosts. mngr 0.3.0 tags their sandboxes with it, and with the host's name. */
const labelKey = "changelings_snapshot";
const labelTag = `mngr_user_${labelKey}`;
const nameTag = "mngr_host_name";

/**
 * Creates a machine as declared, with a clone of the branch at /code/project, snapshots it, and destroys it, even on
 * failure. mngr gets its own host dir, so none of the user's files are read or written.
 *
 * @returns the id of the snapshot's image
 * @throws with mngr's own reason
 */
export async function snapshotOfPlaceholder(
  declaration: SnapshotDeclaration,
  context: PlaceholderContext,
): Promise<string> {
  const label = snapshotLabel(declaration);
  const home = realpathSync(mkdtempSync(join(tmpdir(), "changelings-snapshot-")));
  try {
    const mngr = await mngrIn(home, declaration, context);
    // Leftovers of an update that was killed. One that mngr has not tagged yet is missed, and ends by its timeout.
    await destroy(mngr, context, { [labelTag]: label });
    const name = `placeholder-${label.slice(0, 8)}-${timestamp(new Date())}`;
    try {
      await create(mngr, name, label, declaration, context.gitToken);
      return await snapshot(mngr, name);
    } finally {
      await destroy(mngr, context, { [nameTag]: name }, name);
    }
  } finally {
    rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  }
}

interface Mngr {
  readonly source: string;
  /** @param file the child's file descriptor 3 */
  run(args: readonly string[], seconds: number, file?: number): Promise<ProgramEnd>;
}

async function mngrIn(home: string, { repo }: SnapshotDeclaration, context: PlaceholderContext): Promise<Mngr> {
  const hostDir = join(home, "mngr");
  const source = join(home, "source");
  const profile = join(hostDir, "profiles", "changelings");
  for (const folder of [profile, join(home, "project"), source]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const files = {
    [join(hostDir, "config.toml")]: 'profile = "changelings"\n',
    [join(profile, "user_id")]: context.userId,
    [join(profile, "settings.toml")]: context.settings,
  };
  for (const [path, text] of Object.entries(files)) writeFileSync(path, text, { mode: 0o600 });
  const env = {
    ...modalEnvironment(context.env),
    HOME: home,
    MODAL_TOKEN_ID: context.token.id,
    MODAL_TOKEN_SECRET: context.token.secret,
    MNGR_HOST_DIR: hostDir,
    MNGR_USER_ID: context.userId,
    MNGR_PREFIX: context.prefix,
    MNGR_PROJECT_CONFIG_DIR: join(home, "project"),
    MNGR_HEADLESS: "1",
  };
  const runIn = (command: string, args: readonly string[], timeoutSeconds: number, file?: number) =>
    runProgram(command, args, { env, timeoutSeconds, file });
  for (const args of [
    ["init", "--quiet", source],
    ["-C", source, "remote", "add", "origin", repo],
  ]) {
    const { code, stderr } = await runIn("git", args, otherSeconds);
    if (code !== 0) throw new Error(`git ${args[0]}: ${errorLine(stderr)}`);
  }
  return { source, run: (...how) => runIn("mngr", ...how) };
}

async function create(
  mngr: Mngr,
  name: string,
  label: string,
  { repo, branch, template, buildArgs }: SnapshotDeclaration,
  gitToken: string | undefined,
): Promise<void> {
  const args = placeholderArguments({
    name,
    labels: { CREATOR: "changeling", [labelKey]: label },
    source: mngr.source,
    // An inherited open file, so nothing is left on disk, however this process ends.
    hostEnvFile: gitToken === undefined ? undefined : "/dev/fd/3",
    timeoutSeconds: lifeSeconds,
    prepare: cloneCommand(repo, branch, mngr.source),
    template,
    buildArgs,
  });
  const variables: Record<string, string> = gitToken === undefined ? {} : { GH_TOKEN: gitToken };
  const end = await withSecretFile(envFileText(variables), (file) => mngr.run(args, createSeconds, file));
  const created = createdFrom(end.stdout);
  if (end.code === 0 && created?.kind === "created") return;
  const reported = created?.kind === "error" ? created.message : end.stderr;
  // Prefer the error that our own script printed.
  const ours = /changelings: (.*)/.exec(reported)?.[1];
  throw new Error(`no machine to snapshot could be created: ${(ours ?? errorLine(reported)).slice(0, 500)}`);
}

/** Base64 contains no character that a shell would interpret. */
function cloneCommand(...values: string[]): string {
  const [script, ...words] = [readFileSync(cloneScript, "utf8"), ...values].map((text) =>
    Buffer.from(text).toString("base64"),
  );
  return `sh -c "$(printf %s ${script} | base64 -d)" clone-for-snapshot.sh ${words.join(" ")}`;
}

const snapshotAnswer = z.object({ snapshots_created: z.array(z.object({ snapshot_id: z.string() })) });

async function snapshot(mngr: Mngr, name: string): Promise<string> {
  const end = await mngr.run(snapshotArguments(name), snapshotSeconds);
  const id = snapshotAnswer.safeParse(parseJson(end.stdout)).data?.snapshots_created[0]?.snapshot_id;
  if (end.code === 0 && id !== undefined) return id;
  throw new Error(`the machine could not be snapshotted: ${errorLine(end.stderr)}`);
}

/** Sandboxes first, because mngr leaves one running that it can't reach by ssh. Then mngr's records of their hosts. */
async function destroy(
  mngr: Mngr,
  { client, environment }: PlaceholderContext,
  tags: Readonly<Record<string, string>>,
  name?: string,
): Promise<void> {
  const names = new Set(name === undefined ? [] : [name]);
  try {
    for (const ended of await client.endSandboxes(environment, tags)) {
      if (ended[nameTag] !== undefined) names.add(ended[nameTag]);
    }
    for (const each of names) {
      const { code, stderr } = await mngr.run(destroyPlaceholderArguments(each), otherSeconds);
      if (code !== 0) throw new Error(errorLine(stderr));
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const minutes = lifeSeconds / 60;
    printNote(`warning: a placeholder could not be destroyed (${why}); it ends by itself within ${minutes} minutes\n`);
  }
}

function timestamp(now: Date): string {
  return now.toISOString().slice(0, 19).replaceAll(/[T:]/g, "-");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
