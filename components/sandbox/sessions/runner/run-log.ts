import type { RuntimeEvent } from "../../runtimes/runtime.ts";
import type { Outcome, RunEvent } from "../runner-protocol.ts";
import type { Redactor } from "./redact.ts";

/** Text is sent at once. More text within this time is sent together; milliseconds. */
const joinMs = 20;
/** The most characters of one event's text, and of all events of a run. */
const maxEvent = 64_000;
const maxTotal = 8_000_000;
/** The most characters of an answer. */
const maxAnswer = 400_000;

/** The events of a run so far, for any number of readers that begin at any event. */
export class RunLog {
  readonly events: RunEvent[] = [];
  outcome: Outcome | undefined;
  readonly #redactor: Redactor;
  #waiting = Promise.withResolvers<void>();
  #total = 0;
  #text = "";
  #timer: NodeJS.Timeout | undefined;
  #lastTextAt = 0;

  constructor(redactor: Redactor) {
    this.#redactor = redactor;
  }

  add(event: Exclude<RuntimeEvent, { type: "state" }> | (RunEvent & { type: "progress" })): void {
    if (this.outcome !== undefined) return;
    if (event.type === "text") {
      this.#text += event.text;
      const soon = this.#lastTextAt + joinMs - Date.now();
      if (soon <= 0) this.#flushText(false);
      else this.#timer ??= setTimeout(() => this.#flushText(false), soon);
      return;
    }
    this.#flushText(true);
    if (event.type === "tool_call") this.#push({ ...event, input: this.#shortened(this.#redactor.json(event.input)) });
    else if (event.type === "tool_result") this.#push({ ...event, output: this.#cut(event.output, maxEvent) });
    else if ("text" in event) this.#push({ ...event, text: this.#cut(event.text, maxEvent) });
    else this.#push(event);
  }

  end(outcome: Outcome): void {
    if (this.outcome !== undefined) return;
    this.#flushText(true);
    this.outcome =
      outcome.state === "done"
        ? { ...outcome, answer: this.#cut(outcome.answer, maxAnswer) }
        : "failure" in outcome
          ? { ...outcome, failure: { ...outcome.failure, message: this.#cut(outcome.failure.message, maxEvent) } }
          : outcome;
    this.#wake();
  }

  /** Yields the events from index `first` on as they come, until the run has ended. */
  async *from(first: number): AsyncGenerator<RunEvent> {
    for (let next = first; ; ) {
      const { promise } = this.#waiting;
      for (const event of this.events.slice(next)) {
        yield event;
        next += 1;
      }
      if (next < this.events.length) continue;
      if (this.outcome !== undefined) return;
      await promise;
    }
  }

  #flushText(isLast: boolean): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const [shown, held] = isLast ? [this.#redactor.text(this.#text), ""] : this.#redactor.split(this.#text);
    this.#text = held;
    if (shown === "") return;
    this.#lastTextAt = Date.now();
    for (let at = 0; at < shown.length; at += maxEvent) {
      this.#push({ type: "text", text: shown.slice(at, at + maxEvent) });
    }
  }

  #push(event: RunEvent): void {
    const before = this.#total;
    this.#total += JSON.stringify(event).length;
    if (this.#total <= maxTotal || event.type === "cost" || event.type === "usage") this.events.push(event);
    else if (before <= maxTotal)
      this.events.push({ type: "notice", text: "the output is too long; the rest is left out" });
    this.#wake();
  }

  #cut(text: string, most: number): string {
    const redacted = this.#redactor.text(text);
    return redacted.length <= most
      ? redacted
      : `${redacted.slice(0, most)}\n… (cut off: ${redacted.length} characters)`;
  }

  #shortened(input: unknown): unknown {
    const text = JSON.stringify(input) ?? "null";
    return text.length <= maxEvent ? input : { cut: `${text.slice(0, maxEvent)}…` };
  }

  #wake(): void {
    this.#waiting.resolve();
    this.#waiting = Promise.withResolvers();
  }
}
