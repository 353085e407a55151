import { errorBody } from "../protocol.ts";
import { type RunLine, type RunRequest, runLine } from "../runner-protocol.ts";
import { type Env, fetchFromRunner } from "./env.ts";
import { RequestError } from "./queue.ts";

/** A client of the runner: on the same machine, or through its link. */
export class Runner {
  readonly #env: Env;

  constructor(env: Env) {
    this.#env = env;
  }

  /** Starts a run or attaches to it, and yields its lines. @throws if the runner can't be reached or ends meanwhile */
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

  /** Says that the outcome is stored, so that the runner can drop the events. */
  async taken(key: string): Promise<void> {
    await this.#call(`/runs/${key}/taken`, { method: "POST" });
  }

  async terminate(session: string): Promise<void> {
    await this.#call(`/sessions/${session}`, { method: "DELETE" });
  }

  /** @returns the snapshot's id */
  async snapshot(session: string): Promise<string> {
    return await (await this.#call(`/sessions/${session}/snapshot`, { method: "POST" })).text();
  }

  /** The changes in a session's sandbox, as a stream, because a bundle may be larger than an object's memory. */
  async work(session: string, what: "diff" | "bundle"): Promise<ReadableStream | null> {
    return (await this.#call(`/sessions/${session}/${what}`, { method: "GET" })).body;
  }

  async #call(path: string, init: RequestInit): Promise<Response> {
    const response = await fetchFromRunner(this.#env, path, init);
    if (response.ok) return response;
    const parsed = errorBody.safeParse(await response.json().catch(() => undefined));
    if (!parsed.success) throw new Error(`the runner answers with ${response.status}`);
    throw new RequestError(parsed.data.error.code, parsed.data.error.message);
  }
}
