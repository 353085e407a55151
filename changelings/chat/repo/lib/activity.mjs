// @ts-check
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { log } from "./log.mjs";

/** mngr's names of the two sides. */
const FILES = /** @type {const} */ ({ person: "user", agent: "agent" });

/**
 * Reports to mngr, and so to the list of changelings, when the person and the agent said something last: the time of
 * a file for each. Messages of before a restart count, or of before the agent moved to another machine.
 *
 * @param {string | undefined} stateDir @param {import("./conversation.mjs").Conversation} conversation
 */
export function reportActivity(stateDir, conversation) {
  if (stateDir === undefined) return;
  const folder = join(stateDir, "activity");
  /** @param {import("./journal.mjs").Message} message */
  const report = ({ from, at }) => {
    try {
      mkdirSync(folder, { recursive: true });
      const file = join(folder, FILES[from]);
      writeFileSync(file, "");
      utimesSync(file, new Date(at), new Date(at));
    } catch (error) {
      log(`no activity is reported: ${error instanceof Error ? error.message : error}`);
    }
  };
  const { messages } = conversation.last(Number.POSITIVE_INFINITY);
  for (const from of /** @type {const} */ (["person", "agent"])) {
    const last = messages.findLast((message) => message.from === from);
    if (last !== undefined) report(last);
  }
  conversation.subscribe((change) => {
    if ("message" in change) report(change.message);
  });
}
