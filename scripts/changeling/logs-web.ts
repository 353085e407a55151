import { setTimeout as sleep } from "node:timers/promises";
import type { InstallationPaths } from "../../components/installation-paths.ts";
import { MngrError } from "../../components/mngr/client.ts";
import { changelingCommand } from "../../components/own-commands.ts";
import type { WebRecord } from "../../components/web/record.ts";
import { mngrFor } from "./web-side.ts";

/** Each look is a mngr command, which takes seconds of a processor. */
const lookEveryMs = 5000;

/** What a web changeling's agent shows: its conversation when it has one, else its terminal. @throws MngrError */
export async function webLog(record: WebRecord, paths: InstallationPaths): Promise<string> {
  const { name, agentId, hostAddress } = record;
  const mngr = await mngrFor(record, paths);
  const address = hostAddress ?? agentId;
  const transcript = await mngr.transcript(address);
  if (transcript.trim() !== "") return transcript.trimEnd();
  try {
    return (await mngr.capture(address)).trimEnd();
  } catch (error) {
    if (!(error instanceof MngrError)) throw error;
    throw new Error(
      `${error.message}\nit may be stopped: see ${changelingCommand()} list, and start it with: ${changelingCommand()} start ${name}`,
    );
  }
}

/** Prints it, and then what is added to it, until the person ends it. */
export async function followWebLog(
  record: WebRecord,
  paths: InstallationPaths,
  print: (text: string) => void,
): Promise<never> {
  let shown = "";
  for (;;) {
    const text = await webLog(record, paths);
    const added = addedTo(shown, text);
    if (added !== "") print(`${added}\n`);
    shown = text;
    await sleep(lookEveryMs);
  }
}

/** The lines of a log that were not there when it was looked at before; a terminal forgets its first ones. */
export function addedTo(before: string, now: string): string {
  if (before === "") return now;
  const [old, lines] = [before.split("\n"), now.split("\n")];
  // The longest end of the old one that the new one begins with, or goes on from.
  for (let start = 0; start < old.length; start += 1) {
    const rest = old.slice(start);
    if (rest.length <= lines.length && rest.every((line, index) => line === lines[index])) {
      return lines.slice(rest.length).join("\n");
    }
  }
  return now;
}
