import { prepareRepo } from "../repo/repo.ts";
import type { MachineUpdate } from "./apply-on-machine.ts";
import { failure } from "./failure.ts";
import { destroyMachine } from "./machines.ts";
import { newHostName } from "./records.ts";
import { type StartedOnMachine, startOnMachine } from "./start-on-machine.ts";
import { downloadRepo, withoutLfs, withTemporaryRepo } from "./temporary-repo.ts";

export interface OnMachine extends StartedOnMachine {
  /** The machine's name. */
  readonly host: string;
}

/**
 * A machine for an agent that has none: its repo is made, or is what the last machine left on the volume with what is
 * declared now merged into it.
 *
 * @throws when it does not come up; then no machine is left
 */
export function createMachine(update: MachineUpdate): Promise<OnMachine> {
  const { spec, record, web, secrets } = update;
  return withTemporaryRepo(async (repo) => {
    // One that mngr has forgotten would go on working on the same volumes.
    await web.machines.sweep(spec.name);
    await downloadRepo(repo, spec, record, web);
    await prepareRepo(repo, spec, { env: withoutLfs(web.env), token: secrets["GITHUB_TOKEN"], onMove: () => {} });
    return await newMachine(update, repo, async () => "no machine of it is left");
  });
}

/**
 * @param repo what the agent's folder becomes
 * @param goBack called when it did not come up and its machine is gone again; says what runs now
 */
export async function newMachine(
  { spec, record, secrets, web }: MachineUpdate,
  repo: string,
  goBack: () => Promise<string>,
): Promise<OnMachine> {
  const { machines, records } = web;
  for (const volume of [record.data, record.repo]) await machines.ensureVolume(volume, spec.name);
  const host = newHostName(spec);
  let address: string | undefined;
  try {
    const start = { spec, record, repo, host, isNew: true, secrets };
    const started = await startOnMachine(start, web, async (hostAddress) => {
      address = hostAddress;
      await records.write({ ...record, host, hostAddress });
    });
    return { ...started, host };
  } catch (error) {
    throw await failure(error, { spec, secrets, web, address }, async () => {
      // One that was made and never served is nobody's to remove.
      await destroyMachine(host, web);
      await records.write(record);
      return await goBack();
    });
  }
}
