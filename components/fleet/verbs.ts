/** The commands of the CLI that only some kinds have. */
export type Verb =
  | "run"
  | "runs"
  | "pause"
  | "resume"
  | "stop"
  | "start"
  | "update"
  | "open"
  | "login-url"
  | "revoke"
  | "sessions"
  | "logs --follow";

/** What to do instead of a command that the kind does not have, in words. */
export type Instead = (name: string) => string;

/** `true`: the kind has the command. For a command that is not listed, the CLI names the kinds that have it. */
export type Verbs = Readonly<Partial<Record<Verb, true | Instead>>>;
