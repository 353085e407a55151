import type { LanguageModelV4StreamPart } from "@ai-sdk/provider";

/** Writes a stream of parts, and marks where blocks of text begin and end. Ignores parts after the stream was closed. */
export class StreamParts {
  #controller: ReadableStreamDefaultController<LanguageModelV4StreamPart> | undefined;
  #block: number | undefined;

  open(controller: ReadableStreamDefaultController<LanguageModelV4StreamPart>): void {
    this.#controller = controller;
  }

  add(part: LanguageModelV4StreamPart): void {
    try {
      this.#controller?.enqueue(part);
    } catch {
      this.#controller = undefined;
    }
  }

  say(text: string, block: number): void {
    if (block !== this.#block) {
      this.#endBlock();
      this.#block = block;
      this.add({ type: "text-start", id: String(block) });
    }
    this.add({ type: "text-delta", id: String(block), delta: text });
  }

  end(finish: LanguageModelV4StreamPart): void {
    this.#endBlock();
    this.add(finish);
    this.#controller?.close();
    this.#controller = undefined;
  }

  fail(error: unknown): void {
    this.#controller?.error(error);
    this.#controller = undefined;
  }

  #endBlock(): void {
    if (this.#block !== undefined) this.add({ type: "text-end", id: String(this.#block) });
    this.#block = undefined;
  }
}
