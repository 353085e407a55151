import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Modal } from "../../modal/client.ts";
import { runsVolumeName } from "../../modal/names.ts";
import type { RecordLine } from "../runs/record-line.ts";

/** Whose runs. */
export interface RunsOf {
  readonly stack: string;
  readonly environment: string;
  readonly changeling: string;
}

/** mngr 0.3.0 makes tags of a sandbox of the labels that the function gives its host. */
const labelTag = (label: string) => `mngr_user_${label}`;

/** Ends the agents of a changeling that are at work, and records for each the end that its sandbox can't any more. */
export async function endRuns(client: Modal, of: RunsOf): Promise<void> {
  const tags = { [labelTag("changelings_stack")]: of.stack, [labelTag("changeling")]: of.changeling };
  for (const ended of await client.endSandboxes(of.environment, tags)) {
    const id = ended[labelTag("changeling_run")];
    if (id !== undefined) await recordEnd(client, of, id);
  }
}

async function recordEnd(client: Modal, { stack, environment, changeling }: RunsOf, id: string): Promise<void> {
  const volume = runsVolumeName(stack);
  const path = `${changeling}/${id}/ended.json`;
  // It had come to its end by itself just before.
  if ((await client.readFile(volume, environment, path)) !== undefined) return;
  const reason = "its changeling was removed while it was running; what it had not pushed is gone with its sandbox";
  const at = new Date().toISOString();
  const record: RecordLine = { event: "ended", at, changeling, id, outcome: "failed", reason, commits: [] };
  const folder = mkdtempSync(join(tmpdir(), "changelings-"));
  try {
    const file = join(folder, "ended.json");
    writeFileSync(file, `${JSON.stringify(record)}\n`, { mode: 0o600 });
    await client.upload(volume, environment, file, path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
