/** The kind of an error, for callers that react to it. All other details are in the message. */
export type ModalErrorKind = "no_token" | "wrong_token" | "unreachable" | "not_found" | "exists" | "quota" | "other";

export const unreachableRemedy = "check the network and https://status.modal.com, then run it again";
export const wrongTokenRemedy =
  "create a new one with: modal token new (or at https://modal.com/settings/tokens); MODAL_TOKEN_ID and " +
  "MODAL_TOKEN_SECRET in the environment take precedence over every other token";
export const quotaRemedy =
  "end what you no longer need, or raise the workspace's limits at https://modal.com/settings/usage, then run it again";

/** Modal rejected a request, or could not be reached. The message says what failed, and the remedy; never a secret. */
export class ModalError extends Error {
  readonly kind: ModalErrorKind;
  /** The command or edit that fixes it; undefined if unknown. Part of the message. */
  readonly remedy: string | undefined;

  constructor(kind: ModalErrorKind, message: string, remedy?: string) {
    super(remedy === undefined ? message : `${message}; ${remedy}`);
    this.name = "ModalError";
    this.kind = kind;
    this.remedy = remedy;
  }
}
