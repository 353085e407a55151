import type { SessionEvent } from "./protocol.ts";

/** How far the text of the attempt that is streamed was received. */
export interface TextSeen {
  readonly message: number;
  readonly attempt: number;
  readonly length: number;
}

/**
 * Cuts off the part of a text event that was received before: stored text is joined, so that a piece may begin earlier.
 *
 * @returns the event, undefined if nothing of it is new; and what is known after it
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
