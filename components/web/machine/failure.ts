import { failedStart } from "../agent/failed-start.ts";
import type { MachineUpdate } from "./apply-on-machine.ts";
import { agentAt } from "./machines.ts";

export interface FailedStartOnMachine extends Pick<MachineUpdate, "spec" | "secrets" | "web"> {
  /** Of the agent that did not come up; undefined: there is none. */
  readonly address: string | undefined;
}

/** @param goBack to what ran before; says what runs now */
export function failure(
  error: unknown,
  { spec, secrets, web, address }: FailedStartOnMachine,
  goBack: () => Promise<string>,
): Promise<Error> {
  return failedStart(error, { name: spec.name, secrets, shown: () => shownAt(address, web), goBack });
}

async function shownAt(address: string | undefined, { mngr }: MachineUpdate["web"]): Promise<string | undefined> {
  const agent = address === undefined ? undefined : await agentAt(address, mngr);
  if (address === undefined || agent === undefined || agent.state === "STOPPED") return undefined;
  return await mngr.capture(address, agent.state === "DONE");
}
