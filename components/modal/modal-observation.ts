import { printNote } from "../lib/terminal.ts";
import type { Modal, ObservedModal } from "./types.ts";

/** What a stack has on Modal, as seen from any machine with the token. */
export interface StackOnModal {
  /** The short name, as used in its resources' names. */
  readonly stack: string;
  readonly client: Modal;
  readonly observed: ObservedModal;
}

/** Whether Modal was queried, and the result. */
export type ModalObservation<Seen extends StackOnModal = StackOnModal> =
  /** Not needed: the user neither waits for the network nor sees a message about Modal. */
  | { readonly kind: "not_asked" }
  | { readonly kind: "reached"; readonly fleet: Seen }
  /** Needed, but Modal did not answer. */
  | { readonly kind: "unreached"; readonly error: Error };

/** Why an answer is incomplete, in words; undefined if it is not. */
export function unreachedText(side: ModalObservation): string | undefined {
  return side.kind === "unreached" ? `what is on Modal is not shown: ${side.error.message}` : undefined;
}

/** Warns once that the answer is incomplete; the exit code shows it too. */
export function warnUnreached(side: ModalObservation): void {
  const text = unreachedText(side);
  if (text === undefined) return;
  printNote(`warning: ${text}\n`);
  process.exitCode = 1;
}
