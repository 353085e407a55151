import * as z from "zod/mini";
import { sealed, unsealed } from "./sealed.ts";

/** Everything but the versions themselves, in one file, so that it changes atomically. */
const schema = z.object({
  active: z.string(),
  /** Activations, the newest last. */
  history: z.array(z.object({ version: z.string(), at: z.string() })),
  /** Versions that passed probation. */
  good: z.array(z.string()),
  /** How many starts there were since one last proved itself. */
  starts: z.number(),
});
export type Status = Readonly<z.output<typeof schema>>;

export const firstStatus: Status = { active: "v0", history: [], good: [], starts: 0 };

export function toText(status: Status): string {
  return sealed(status);
}

/** @throws Corrupt */
export function fromText(text: string): Status {
  return unsealed(text, schema);
}

export function isGood({ good }: Status, id: string): boolean {
  return id === "v0" || good.includes(id);
}

/** The latest version before the active one that is good and can be loaded. */
export function lastGood(status: Status, has: (id: string) => boolean): string {
  const found = status.history.findLast(
    ({ version }) => version !== status.active && isGood(status, version) && has(version),
  );
  return found?.version ?? "v0";
}

export function activated(status: Status, version: string, at: string, keep: number): Status {
  const history = [...status.history, { version, at }].slice(-keep);
  const mentioned = new Set(history.map((entry) => entry.version));
  // Earlier starts were those of another version.
  return { ...status, active: version, starts: 0, history, good: status.good.filter((id) => mentioned.has(id)) };
}

export function proven(status: Status, version: string): Status {
  return { ...status, good: [...status.good, version] };
}
