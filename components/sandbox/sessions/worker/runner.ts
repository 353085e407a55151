import type { Fetcher } from "cloudflare:workers";
import { errorBody } from "../protocol.ts";
import { type RunLine, type RunRequest, runLine } from "../runner-protocol.ts";
import { RequestError } from "./queue.ts";

/** Calls the runner of this service. workerd adds the secret that it asks for. */
export class Runner {
  readonly #service: Fetcher;

  constructor(service: Fetcher) {
    this.#service = service;
  }

  /** Lines of a run that is started or attached to. @throws if the runner can't be reached or ends meanwhile */
  async *run(key: string, request: RunRequest, signal: AbortSignal): AsyncGenerator<RunLine> {
    const response = await this.#call(`/runs/${key}`, { method: "PUT", body: JSON.stringify(request), signal });
    if (response.body === null) throw new Error("the runner's answer is empty");
    const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
    const decoder = new TextDecoder();
    let text = "";
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        text += decoder.decode(part.value, { stream: true });
        const lines = text.split("\n");
        text = lines.pop() ?? "";
        for (const line of lines) yield runLine.parse(JSON.parse(line));
      }
    } finally {
      await reader.cancel().catch(() => {});
    }
  }

  async cancel(key: string): Promise<void> {
    await this.#call(`/runs/${key}/cancel`, { method: "POST" });
  }

  /** The outcome is stored: its events are needed no more. */
  async taken(key: string): Promise<void> {
    await this.#call(`/runs/${key}/taken`, { method: "POST" });
  }

  async terminate(session: string): Promise<void> {
    await this.#call(`/sessions/${session}`, { method: "DELETE" });
  }

  /** What the runner says about a session's sandbox. */
  async about(session: string, what: "snapshot" | "diff" | "bundle"): Promise<string> {
    const method = what === "snapshot" ? "POST" : "GET";
    return await (await this.#call(`/sessions/${session}/${what}`, { method })).text();
  }

  async #call(path: string, init: RequestInit): Promise<Response> {
    const response = await this.#service.fetch(`http://runner${path}`, init);
    if (response.ok) return response;
    const parsed = errorBody.safeParse(await response.json().catch(() => undefined));
    if (!parsed.success) throw new Error(`the runner answers with ${response.status}`);
    throw new RequestError(parsed.data.error.code, parsed.data.error.message);
  }
}
