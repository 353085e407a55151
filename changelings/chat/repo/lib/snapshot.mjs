// @ts-check
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Coalesced } from "./coalesced.mjs";
import { log } from "./log.mjs";
import { snapshotPage } from "./page.mjs";

const SHOWN = 200;

/** Keeps `index.html` in the agent's data, which the forwarding server shows while the agent is not running. */
export class Snapshot {
  #writing;

  /** @param {import("./config.mjs").Config} config @param {import("./conversation.mjs").Conversation} conversation */
  constructor({ name, data }, conversation) {
    const file = join(data, "index.html");
    this.#writing = new Coalesced(async () => {
      try {
        await mkdir(data, { recursive: true, mode: 0o700 });
        const text = snapshotPage(name, conversation.last(SHOWN).messages, new Date());
        await writeFile(`${file}.new`, text, { mode: 0o600 });
        await rename(`${file}.new`, file);
      } catch (error) {
        log(`${file} could not be written: ${error instanceof Error ? error.message : error}`);
      }
    });
    conversation.subscribe((change) => "message" in change && void this.write());
  }

  write() {
    return this.#writing.run();
  }

  settle() {
    return this.#writing.settle();
  }
}
