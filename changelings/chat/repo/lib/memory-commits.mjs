// @ts-check
import { execFile } from "node:child_process";
import { relative, sep } from "node:path";
import { promisify } from "node:util";
import { Coalesced } from "./coalesced.mjs";
import { log } from "./log.mjs";

const run = promisify(execFile);

/** If the memory is in the agent's repo (`memory_in_git`), commits it after each exchange. */
export class MemoryCommits {
  #committing;

  /**
   * @param {import("./config.mjs").Config} config
   * @param {string} repo
   * @param {import("./conversation.mjs").Conversation} conversation
   */
  constructor({ name, memory }, repo, conversation) {
    const path = relative(repo, memory);
    const git = (/** @type {string[]} */ ...args) => run("git", ["-C", repo, ...args]);
    this.#committing = new Coalesced(async () => {
      try {
        await git("add", "--", path);
        const { stdout } = await git("diff", "--cached", "--name-only", "--", path);
        if (stdout === "") return;
        const identity = ["-c", `user.name=${name}`, "-c", `user.email=${name}@localhost`];
        // Commit only the memory: the agent may have other changes in progress.
        await git(...identity, "commit", "--quiet", "--message", "Remember the conversation", "--", path);
      } catch (error) {
        log(`the memory was not committed, and will be with the next exchange: ${firstLine(error)}`);
      }
    });
    if (path === "" || path === ".." || path.startsWith(`..${sep}`)) return;
    conversation.subscribe((change) => "answering" in change && !change.answering && void this.#committing.run());
  }

  settle() {
    return this.#committing.settle();
  }
}

/** @param {unknown} error */
function firstLine(error) {
  return error instanceof Error ? error.message.split("\n")[1] || error.message.split("\n")[0] : String(error);
}
