/** What went wrong, for callers that act on it: everything else is in the message. */
export type ModalErrorKind = "no_token" | "wrong_token" | "unreachable" | "not_found" | "other";

export const unreachableRemedy = "check the network and https://status.modal.com, then run it again";
export const wrongTokenRemedy =
  "make a new one with: modal token new (or at https://modal.com/settings/tokens); MODAL_TOKEN_ID and " +
  "MODAL_TOKEN_SECRET in the environment win over every other place";

/** Modal could not do, or could not be asked, what was wanted. The message says what, and the remedy; never a secret. */
export class ModalError extends Error {
  readonly kind: ModalErrorKind;
  /** What mends it, as a command or an edit; undefined where nobody knows. Part of the message. */
  readonly remedy: string | undefined;

  constructor(kind: ModalErrorKind, message: string, remedy?: string) {
    super(remedy === undefined ? message : `${message}; ${remedy}`);
    this.name = "ModalError";
    this.kind = kind;
    this.remedy = remedy;
  }
}
