// @ts-check
import { mkdirSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { log } from "./log.mjs";

/** mngr's names of the two sides. */
const FILES = /** @type {const} */ ({ person: "user", agent: "agent" });

/** So much of a message is reported, in characters. */
const MOST = 300;

/**
 * Reports to mngr, and so to the list of changelings, when the person and the agent said something last: the time of
 * a file for each. And to the forwarding server's list what was said last: the file `last-message`. Messages of before a restart count, or of before the agent moved to another machine.
 *
 * @param {string | undefined} stateDir @param {import("./conversation.mjs").Conversation} conversation
 */
export function reportActivity(stateDir, conversation) {
  if (stateDir === undefined) return;
  const folder = join(stateDir, "activity");
  /** @param {import("./journal.mjs").Message} message */
  const report = ({ from, at, text }) => {
    try {
      mkdirSync(folder, { recursive: true });
      const file = join(folder, FILES[from]);
      writeFileSync(file, "");
      utimesSync(file, new Date(at), new Date(at));
      const last = join(stateDir, "last-message");
      // Whoever reads it finds one or the other.
      writeFileSync(`${last}.new`, text.slice(0, MOST), { mode: 0o600 });
      renameSync(`${last}.new`, last);
    } catch (error) {
      log(`no activity is reported: ${error instanceof Error ? error.message : error}`);
    }
  };
  const { messages } = conversation.last(Number.POSITIVE_INFINITY);
  const last = ["person", "agent"].flatMap((from) => messages.findLast((message) => message.from === from) ?? []);
  for (const message of last.sort((a, b) => new Date(a.at).getTime() - new Date(b.at).getTime())) report(message);
  conversation.subscribe((change) => {
    if ("message" in change) report(change.message);
  });
}
