import { printNote, printText } from "../../../components/lib/terminal.ts";
import type { SessionEvent } from "../../../components/sandbox/sessions/protocol.ts";

/** How a message ended. */
export type Finished = Extract<SessionEvent, { type: "finished" }>;

/** Prints a session's events for people: answers on stdout, everything else on stderr. */
export class EventPrinter {
  readonly #options: { readonly showsMessages: boolean };
  /** Whether the last printed character of the answer ended a line. */
  #isAtLineStart = true;
  /** Length of the printed answer by message. */
  readonly #printed = new Map<number, number>();

  /** @param options.showsMessages whether messages are printed too, with their authors */
  constructor(options: { readonly showsMessages: boolean }) {
    this.#options = options;
  }

  print(event: SessionEvent): void {
    switch (event.type) {
      case "text":
        this.#printed.set(event.message, (this.#printed.get(event.message) ?? 0) + event.text.length);
        this.#answer(event.text);
        break;
      case "finished":
        this.#finish(event);
        break;
      case "message":
        if (this.#options.showsMessages) this.#note(`${event.author}: ${event.text}`);
        break;
      default: {
        const line = inWords(event);
        if (line !== undefined) this.#note(line);
      }
    }
  }

  #finish({ message, state, answer, failure }: Finished): void {
    if (state === "done" && (this.#printed.get(message) ?? 0) === 0 && answer !== undefined) this.#answer(answer);
    this.#printed.delete(message);
    this.#endLine();
    if (state === "cancelled") printNote("(cancelled)\n");
    if (state === "interrupted")
      printNote(`(message ${message} was interrupted, and may have been executed in part)\n`);
    if (state === "failed") printNote(`(failed: ${failure?.message ?? "for an unknown reason"})\n`);
  }

  #answer(text: string): void {
    if (text === "") return;
    printText(text);
    this.#isAtLineStart = text.endsWith("\n");
  }

  #note(text: string): void {
    this.#endLine();
    printNote(`${text}\n`);
  }

  #endLine(): void {
    if (!this.#isAtLineStart) printText("\n");
    this.#isAtLineStart = true;
  }
}

/** One line for a person; undefined for events that a person need not see. */
function inWords(event: SessionEvent): string | undefined {
  switch (event.type) {
    case "progress":
      return event.text;
    case "ready":
      return `ready on branch ${event.branch}`;
    case "sandbox":
      return event.isAsleep ? "the sandbox sleeps; the next prompt wakes it up" : "the sandbox is awake";
    case "tool_call":
      return `  ${event.name} ${shortened(JSON.stringify(event.input) ?? "")}`;
    case "tool_result":
      return event.isError ? `  failed: ${shortened(event.output)}` : undefined;
    case "notice":
      return `  ${event.text}`;
    case "retried":
      return `${event.by} retries message ${event.message}`;
    case "status":
      return `${event.status}${event.reason === undefined ? "" : `: ${event.reason}`}`;
    case "presence":
      return event.present.length > 1 ? `here are ${event.present.join(", ")}` : undefined;
    default:
      return undefined;
  }
}

function shortened(text: string): string {
  const line = text.replace(/\s+/g, " ");
  return line.length <= 120 ? line : `${line.slice(0, 119)}…`;
}
