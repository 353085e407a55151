import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { printNote } from "../../lib/terminal.ts";
import { runsVolumeName } from "../../modal/names.ts";
import type { Modal, Sandbox } from "../../modal/types.ts";
import type { RecordLine } from "../run-records.ts";

/** The changeling whose runs are ended. */
export interface RunsOf {
  readonly stack: string;
  readonly environment: string;
  readonly changeling: string;
}

type EndClient = Pick<Modal, "sandboxes" | "runInSandbox" | "endSandboxes" | "readFile" | "writeFiles">;

/** mngr 0.3.0 turns the labels that the function gives a host into tags of its sandbox. */
const labelTag = (label: string) => `mngr_user_${label}`;

/** How long a sandbox has to push, record its end and be snapshotted, and how often it is checked. */
const timeouts = { seconds: 480, everySeconds: 2 };

const endScript = join(dirname(fileURLToPath(import.meta.url)), "end-run.sh");

/**
 * Ends a changeling's running agents. Stop its app first, so that no new ones start. Each agent is asked to end as it
 * does by itself, with all its commits on its branch. Agents that can't be asked, or that do not end in time, are
 * terminated, and recorded as such.
 */
export async function endRuns(client: EndClient, of: RunsOf, { seconds, everySeconds } = timeouts): Promise<void> {
  const tags = { [labelTag("changelings_stack")]: of.stack, [labelTag("changeling")]: of.changeling };
  const found = await client.sandboxes(of.environment, tags);
  if (found.length === 0) return;
  const script = readFileSync(endScript, "utf8");
  const notified = await Promise.all(found.map((sandbox) => isNotified(client, sandbox, script)));
  const waited = new Set(found.filter((_, index) => notified[index]).map(({ id }) => id));
  const until = performance.now() + seconds * 1000;
  while (waited.size > 0 && performance.now() < until) {
    await sleep(everySeconds * 1000);
    // Modal may be unreachable briefly, which does not mean that the runs ended.
    const running = await client.sandboxes(of.environment, tags).catch(() => undefined);
    for (const id of waited) {
      if (running?.every((each) => each.id !== id)) waited.delete(id);
    }
  }
  if (waited.size > 0)
    say(`warning: the runs of ${of.changeling} did not finish within ${seconds} s, and are ended now`);
  const ended = await client.endSandboxes(of.environment, tags);
  const runs = new Set([...found.map((each) => each.tags), ...ended].map(runOf));
  for (const run of runs) {
    if (run !== undefined) await recordEnd(client, of, run);
  }
}

/** The results of end-run.sh, in words. */
const ways = new Map([
  ["pushes", "pushes what it has committed, and ends"],
  ["snapshots", "is snapshotted, and ends"],
]);

/** @returns whether the sandbox will end by itself */
async function isNotified(client: EndClient, { id, tags }: Sandbox, script: string): Promise<boolean> {
  const run = runOf(tags) ?? id;
  try {
    const how = (await client.runInSandbox(id, script)).trim();
    say(`${run} ${ways.get(how) ?? "is ended: it has no agent yet"}`);
    return ways.has(how);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    say(`warning: ${run} is ended without a push: ${why}`);
    return false;
  }
}

function runOf(tags: Readonly<Record<string, string>>): string | undefined {
  return tags[labelTag("changeling_run")];
}

function say(line: string): void {
  printNote(`${line}\n`);
}

async function recordEnd(client: EndClient, { stack, environment, changeling }: RunsOf, id: string): Promise<void> {
  const volume = runsVolumeName(stack);
  const path = `${changeling}/${id}/ended.json`;
  // It had just ended by itself.
  if ((await client.readFile(volume, environment, path)) !== undefined) return;
  const reason = "its changeling was removed while it was running; what it had not pushed is lost with its sandbox";
  const at = new Date().toISOString();
  const record: RecordLine = { event: "ended", at, changeling, id, outcome: "failed", reason, commits: [] };
  await client.writeFiles(volume, environment, { [path]: `${JSON.stringify(record)}\n` });
}
