import { join } from "node:path";
import * as z from "zod/mini";
import type { Log } from "../../../../host/log.ts";
import type { Session } from "./signing.ts";
import { readStateFile, StateFile, type Unsaved } from "./state-file.ts";
import type { SteadyClock } from "./steady-clock.ts";

const sessionsFile = z.object({
  version: z.literal(1),
  /** How often each agent's logins were revoked. A count, so that no change of the clock can restore a login. */
  revocations: z.record(z.string(), z.int()),
  /** Ended sessions with their original expiry (milliseconds since 1970). */
  ended: z.record(z.string(), z.number()),
  /**
   * The latest time at which an entry was dropped from `ended`, so that setting the clock back can't restore a session.
   */
  latest: z.optional(z.number()),
});

type SessionsFile = z.infer<typeof sessionsFile>;

/** Sessions that were ended before they expired, in `sessions.json`. */
export class EndedSessions {
  readonly #file: StateFile;
  readonly #clock: SteadyClock;
  readonly #state: SessionsFile;
  /** The list of ended sessions was missing or damaged, so no session of the current key can be trusted. */
  readonly isNew: boolean;

  constructor(folder: string, clock: SteadyClock, log: Log) {
    const path = join(folder, "sessions.json");
    this.#clock = clock;
    const read = readStateFile(path, (text) => z.parse(sessionsFile, JSON.parse(text)), log);
    this.isNew = read === undefined || read === "damaged";
    this.#state = read === undefined || read === "damaged" ? { version: 1, revocations: {}, ended: {} } : read;
    const content = () => `${JSON.stringify(this.#state)}\n`;
    clock.continueFrom(this.#state.latest ?? 0);
    // Without the file, the next start makes a new key.
    this.#file = new StateFile({ path, content, withoutFile: "ends all logins", log });
    if (this.isNew) this.#write();
  }

  revocations(agentId: string): number {
    return Object.hasOwn(this.#state.revocations, agentId) ? (this.#state.revocations[agentId] ?? 0) : 0;
  }

  /** Ends all sessions of an agent, even if the file can't be written. */
  revoke(agentId: string): Unsaved | undefined {
    this.#state.revocations[agentId] = this.revocations(agentId) + 1;
    return this.#write();
  }

  end({ id, expiresAt }: Session): Unsaved | undefined {
    this.#state.ended[id] = expiresAt;
    return this.#write();
  }

  isOver({ id, expiresAt }: Session): boolean {
    return expiresAt <= this.#clock.now() || Object.hasOwn(this.#state.ended, id);
  }

  #write(): Unsaved | undefined {
    const now = this.#clock.now();
    this.#state.latest = now;
    for (const [id, expiresAt] of Object.entries(this.#state.ended)) {
      if (expiresAt <= now) delete this.#state.ended[id];
    }
    return this.#file.save();
  }
}
