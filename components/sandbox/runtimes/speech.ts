import type { RuntimeEvent } from "./runtime.ts";

/** Emits what the agent says as `text` events. Messages are separated by an empty line. */
export class Speech {
  readonly #emit: (event: RuntimeEvent) => void;
  #hasSpoken = false;
  #isNew = false;

  constructor(emit: (event: RuntimeEvent) => void) {
    this.#emit = emit;
  }

  /** A new message begins. */
  begin(): void {
    this.#isNew = this.#hasSpoken;
  }

  say(text: string): void {
    if (text === "") return;
    this.#emit({ type: "text", text: this.#isNew ? `\n\n${text}` : text });
    this.#isNew = false;
    this.#hasSpoken = true;
  }
}

const maxOutput = 100_000;

/** Cuts the middle of a tool's long output, for people. The agent gets all of it. */
export function shortened(output: string): string {
  if (output.length <= maxOutput) return output;
  const omitted = output.length - maxOutput;
  return `${output.slice(0, maxOutput / 2)}\n… (${omitted} characters omitted) …\n${output.slice(-maxOutput / 2)}`;
}
