import { join } from "node:path";
import * as z from "zod/mini";
import type { Log } from "../../../../host/log.ts";
import { OwnFile, readOwn, type Unsaved } from "./own-files.ts";
import type { Session } from "./signing.ts";
import type { SteadyClock } from "./steady-clock.ts";

const sessionsFile = z.object({
  version: z.literal(1),
  /** By agent: how often its logins were revoked. A count, not a time, so that no clock can bring one back. */
  revocations: z.record(z.string(), z.int()),
  /** Sessions that were ended, with the time at which they would have ended by themselves (milliseconds since 1970). */
  ended: z.record(z.string(), z.number()),
  /** The latest time at which anything was left out of `ended`: a clock that is set back does not bring it back. */
  latest: z.optional(z.number()),
});

type SessionsFile = z.infer<typeof sessionsFile>;

/** Which sessions are over before their time, in `sessions.json`. */
export class Endings {
  readonly #file: OwnFile;
  readonly #clock: SteadyClock;
  readonly #state: SessionsFile;
  /** What was ended before is not known: no session of the present key can be trusted. */
  readonly isNew: boolean;

  constructor(folder: string, clock: SteadyClock, log: Log) {
    const path = join(folder, "sessions.json");
    this.#clock = clock;
    const read = readOwn(path, (text) => z.parse(sessionsFile, JSON.parse(text)), log);
    this.isNew = read === undefined || read === "damaged";
    this.#state = read === undefined || read === "damaged" ? { version: 1, revocations: {}, ended: {} } : read;
    const content = () => `${JSON.stringify(this.#state)}\n`;
    clock.continueFrom(this.#state.latest ?? 0);
    // Without it the next start makes a new key.
    this.#file = new OwnFile({ path, content, withoutIt: "ends all logins", log });
    if (this.isNew) this.#write();
  }

  revocations(agentId: string): number {
    return Object.hasOwn(this.#state.revocations, agentId) ? (this.#state.revocations[agentId] ?? 0) : 0;
  }

  /** Ends all sessions of an agent, whatever becomes of the file. */
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
