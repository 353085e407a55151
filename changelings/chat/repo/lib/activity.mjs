// @ts-check
import { mkdirSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { log } from "./log.mjs";

/** mngr's names for the two sides. */
const FILES = /** @type {const} */ ({ person: "user", agent: "agent" });

/** The maximum length of the reported text, in characters. */
const MOST = 300;

/**
 * Reports the times of the last messages of user and agent to mngr, and so to the list of changelings: as the time of a
 * file for each. Reports the last text to the forwarding server's list: as the file `last-message`. Messages from
 * before a restart, or from before the agent moved to another machine, count too.
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
      // Replaced by renaming, so that readers never see a partial file.
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
