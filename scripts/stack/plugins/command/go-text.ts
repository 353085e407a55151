/** Text in the format of Go's standard library, so that errors match the official plugin's. */

const escapes: Record<string, string> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  '"': '\\"',
  "\\": "\\\\",
};
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** `strconv.Quote`. */
export const quote = (text: string): string => `"${Array.from(text, quoteRune).join("")}"`;

function quoteRune(rune: string): string {
  const code = rune.codePointAt(0) ?? 0;
  const hex = (width: number) => code.toString(16).padStart(width, "0");
  if (escapes[rune] !== undefined) return escapes[rune];
  if (printable.test(rune)) return rune;
  if (code < 0x20 || code === 0x7f) return `\\x${hex(2)}`;
  return code < 0x10000 ? `\\u${hex(4)}` : `\\U${hex(8)}`;
}

const signals: Partial<Record<NodeJS.Signals, string>> = {
  SIGHUP: "hangup",
  SIGINT: "interrupt",
  SIGQUIT: "quit",
  SIGILL: "illegal instruction",
  SIGTRAP: "trace/breakpoint trap",
  SIGABRT: "aborted",
  SIGBUS: "bus error",
  SIGFPE: "floating point exception",
  SIGKILL: "killed",
  SIGUSR1: "user defined signal 1",
  SIGSEGV: "segmentation fault",
  SIGUSR2: "user defined signal 2",
  SIGPIPE: "broken pipe",
  SIGALRM: "alarm clock",
  SIGTERM: "terminated",
};

/** How a process ended, in the words of `os.ProcessState`; undefined for success. */
export function exitText(code: number | null, signal: NodeJS.Signals | null): string | undefined {
  if (signal !== null) return `signal: ${signals[signal] ?? signal}`;
  return code === 0 ? undefined : `exit status ${code}`;
}

const errors: Record<string, string> = {
  E2BIG: "argument list too long",
  EACCES: "permission denied",
  EINVAL: "invalid argument",
  EISDIR: "is a directory",
  ELOOP: "too many levels of symbolic links",
  EMFILE: "too many open files",
  ENOENT: "no such file or directory",
  ENOEXEC: "exec format error",
  ENOMEM: "cannot allocate memory",
  ENOTDIR: "not a directory",
  EPERM: "operation not permitted",
};

/** The Go text of one of Node's system errors. */
export function errnoText(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
  return (code !== undefined && errors[code]) || (error instanceof Error ? error.message : String(error));
}
