import type { SessionEvent } from "./protocol.ts";

/** How much text of the current attempt was received. */
export interface TextSeen {
  readonly message: number;
  readonly attempt: number;
  readonly length: number;
}

/**
 * Cuts off the part of a text event that was received before. Stored text is joined, so an event may overlap the last one.
 *
 * @returns the event, or undefined if none of its text is new; and how much text is received now
 */
export function withoutSeenText(
  event: SessionEvent,
  seen: TextSeen | undefined,
): readonly [event: SessionEvent | undefined, seen: TextSeen | undefined] {
  if (event.type !== "text") return [event, seen];
  const { message, attempt, offset, text } = event;
  const known = seen?.message === message && seen.attempt === attempt ? seen.length : 0;
  const length = Math.max(known, offset + text.length);
  if (offset >= known) return [event, { message, attempt, length }];
  const rest = text.slice(known - offset);
  return [rest === "" ? undefined : { ...event, offset: known, text: rest }, { message, attempt, length }];
}
