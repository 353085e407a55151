import { type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { watchFolder } from "../../../../host/files.ts";
import type { WebRecord } from "../../../agent/record.ts";
import { registrationFiles } from "../../../agent/servers.ts";
import type { KnownAgent } from "./known-agent.ts";
import { stateFolderOf } from "./mngr-of.ts";

/** In milliseconds. Collects the lines of one start, which are written in quick succession. */
const collectMs = 100;
/** Each of these folders may be created later, or recreated. */
const folders = ["", "events", "events/services", "logs"];

/** Watches the registrations of all local agents. Files on other machines can't be watched. */
export class RegistrationWatches {
  readonly #env: NodeJS.ProcessEnv;
  readonly #onChange: (agent: KnownAgent) => void;
  /** By agent id. */
  readonly #watches = new Map<string, RegistrationWatch>();

  constructor(env: NodeJS.ProcessEnv, onChange: (agent: KnownAgent) => void) {
    this.#env = env;
    this.#onChange = onChange;
  }

  /** Watches exactly these agents. */
  watch(agents: Iterable<KnownAgent>): void {
    const local = new Map([...agents].flatMap((each) => (isLocal(each) ? [[each.record.agentId, each] as const] : [])));
    for (const [id, watch] of this.#watches) {
      if (local.has(id)) continue;
      watch.end();
      this.#watches.delete(id);
    }
    for (const [id, agent] of local) {
      if (this.#watches.has(id)) continue;
      const folder = stateFolderOf(agent.record, this.#env);
      this.#watches.set(
        id,
        watchRegistrations(folder, () => this.#onChange(agent)),
      );
    }
  }

  has({ agentId }: WebRecord): boolean {
    return this.#watches.has(agentId);
  }

  findFolders(): void {
    for (const watch of this.#watches.values()) watch.findFolders();
  }

  end(): void {
    for (const watch of this.#watches.values()) watch.end();
    this.#watches.clear();
  }
}

function isLocal({ record }: KnownAgent): boolean {
  return record.provider === "local";
}

interface RegistrationWatch {
  /** Watches folders that did not exist before. */
  findFolders(): void;
  end(): void;
}

/**
 * Watches the files in which a local agent registers its servers.
 *
 * @param stateFolder mngr's, for the agent
 * @param onChange called when registrations may have changed
 */
function watchRegistrations(stateFolder: string, onChange: () => void): RegistrationWatch {
  const watched = new Map<string, { readonly inode: number; readonly end: () => void }>();
  let timer: NodeJS.Timeout | undefined;
  const stampsNow = () => registrationFiles.map((file) => stampOf(join(stateFolder, file))).join(" ");
  let stamps = stampsNow();

  function findFolders(): void {
    for (const name of folders) {
      const folder = join(stateFolder, name);
      const inode = inodeOf(folder);
      const known = watched.get(name);
      if (known?.inode === inode) continue;
      known?.end();
      watched.delete(name);
      if (inode !== undefined) watched.set(name, { inode, end: watchFolder(folder, soon) });
    }
  }
  function soon(): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      findFolders();
      const now = stampsNow();
      if (now === stamps) return;
      stamps = now;
      onChange();
    }, collectMs).unref();
  }

  findFolders();
  return {
    findFolders: findFolders,
    end() {
      clearTimeout(timer);
      for (const { end } of watched.values()) end();
      watched.clear();
    },
  };
}

function inodeOf(path: string): number | undefined {
  const found = statusOf(path);
  return found?.isDirectory() ? found.ino : undefined;
}

function stampOf(path: string): string {
  const found = statusOf(path);
  return found === undefined ? "-" : `${found.ino}:${found.size}:${found.mtimeMs}`;
}

/** The agent controls what is at this path. */
function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
