import { masked, plainLines } from "../../modal/plain-text.ts";
import type { ModalUpdate } from "./apply-on-modal.ts";

export interface FailedStart extends Pick<ModalUpdate, "spec" | "secrets" | "web"> {
  /** Of the agent that did not come up; undefined: there is none. */
  readonly address: string | undefined;
}

/** How much of an agent's terminal an error tells. */
const tailLines = 20;

/**
 * @param goBack to what ran before; says what runs now
 * @returns the error to fail with: why, what runs now, and the end of the agent's log
 */
export async function failure(error: unknown, failed: FailedStart, goBack: () => Promise<string>): Promise<Error> {
  const log = await tailOf(failed);
  const standing = await goBack().catch((fault: unknown) => `and it could not be rolled back: ${textOf(fault)}`);
  const tail = log === "" ? "" : `\nthe end of its log:\n${log}`;
  const said = `${failed.spec.name} did not come up: ${textOf(error)}; ${standing}${tail}`;
  return new Error(masked(said, Object.values(failed.secrets)));
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The end of what its terminal shows; empty when there is none. */
async function tailOf({ address, web: { mngr } }: FailedStart): Promise<string> {
  if (address === undefined) return "";
  try {
    const agent = (await mngr.agents()).find(({ id, host }) => `${id}@${host?.id}.modal` === address);
    if (agent === undefined || agent.state === "STOPPED") return "";
    return plainLines(await mngr.capture(address, agent.state === "DONE"))
      .slice(-tailLines)
      .join("\n");
  } catch {
    return "";
  }
}
