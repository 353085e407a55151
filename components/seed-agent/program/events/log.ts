export type LogLevel = "info" | "warn" | "error";

export interface LogOptions {
  /** Fields of every line, such as the service and the node. */
  readonly origin: Readonly<Record<string, string>>;
  readonly redact: (text: string) => string;
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}

/** The maximum length of one text in a line, in characters. */
const maxText = 8192;
const maxDepth = 6;

/**
 * Writes JSON lines: `{"at","level","message",…}`. Fields may contain anything, also text of the agent's code. A line never
 * contains a secret, a line break, or a control character that a terminal would interpret.
 */
export function jsonLog({ origin, redact, write, now = () => new Date() }: LogOptions) {
  return (level: LogLevel, message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    const plain = (value: unknown, depth: number): unknown => {
      if (typeof value === "string") {
        const text = redact(value);
        return text.length > maxText ? `${text.slice(0, maxText)}…` : text;
      }
      if (typeof value === "number" || typeof value === "boolean" || value === null || value === undefined)
        return value;
      if (value instanceof Error) return plain(value.stack ?? String(value), depth);
      if (typeof value !== "object") return String(value);
      if (depth >= maxDepth) return "…";
      if (Array.isArray(value)) return value.slice(0, 100).map((each) => plain(each, depth + 1));
      return Object.fromEntries(
        Object.entries(value)
          .slice(0, 100)
          .map(([name, each]) => [redact(name), plain(each, depth + 1)]),
      );
    };
    let rest: unknown;
    try {
      rest = plain(fields, 0);
    } catch (error) {
      rest = { unreadable: String(error) };
    }
    const line = {
      ...(typeof rest === "object" ? rest : {}),
      ...{ at: now().toISOString(), level, message: plain(message, 0), ...origin },
    };
    write(`${escaped(JSON.stringify(line))}\n`);
  };
}

/** Escapes control characters and marks of writing direction that JSON leaves as they are. */
function escaped(json: string): string {
  return json.replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (each) => {
    return `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
