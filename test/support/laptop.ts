import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ModalStack } from "./modal-stack.ts";

/** The user's own machine. Its mngr has the user's id and the key that is shared with sandboxes. */
export class Laptop {
  readonly publicKey: string;
  readonly #home: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor({ home, env, userId }: ModalStack) {
    const hostDir = join(home, "laptop");
    const keys = join(hostDir, "profiles/laptop/providers/modal/modal/keys");
    const key = join(keys, "modal_ssh_key");
    mkdirSync(keys, { recursive: true });
    writeFileSync(join(hostDir, "config.toml"), 'profile = "laptop"\n');
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    this.publicKey = readFileSync(`${key}.pub`, "utf8");
    this.#home = home;
    this.#env = { ...env, MNGR_HOST_DIR: hostDir, MNGR_USER_ID: userId, TMUX_TMPDIR: home, MNGR_HEADLESS: "1" };
  }

  /** @returns its output @throws if it fails */
  async mngr(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)("mngr", args, { env: this.#env, cwd: this.#home });
    return stdout;
  }
}
