import type { AgentRequest, AgentResponse } from "../domain.ts";
import type { Events } from "../events.ts";
import { HostError } from "../hot-reload/version-host.ts";
import { failure, plain } from "./failure.ts";
import type { Recorder } from "./recorder.ts";
import { type AgentState, answer, type Running } from "./running.ts";
import type { Signals } from "./signals.ts";

/** An answer that takes longer is a signal, in ms. */
const slowMilliseconds = 1000;

export interface Attempt {
  readonly response: AgentResponse;
  readonly isError: boolean;
  /** The version's process has ended, so that another version may answer. */
  readonly hasEnded: boolean;
}

export interface AttemptParts {
  readonly state: AgentState;
  readonly events: Pick<Events, "request" | "log">;
  readonly recorder: Recorder;
  readonly signals: Signals;
}

/** Lets one version answer a request, and counts the result. Never rejects. */
export async function attempt(
  running: Running,
  request: AgentRequest,
  { state, events, recorder, signals }: AttemptParts,
): Promise<Attempt> {
  const start = performance.now();
  const version = running.version.id;
  const { method, path } = request;
  const seconds = () => (performance.now() - start) / 1000;
  try {
    const { response, milliseconds } = await answer(running, request, { state, recorder });
    const isError = response.status >= 500;
    running.counter.add(isError, milliseconds);
    events.request({ version, outcome: isError ? "error" : "ok" }, seconds());
    if (isError) signals.add("error", `${method} ${path} is answered ${response.status}`, request);
    else if (milliseconds > slowMilliseconds) {
      signals.add("slow", `${method} ${path} takes more than ${slowMilliseconds} ms`, request);
    }
    return { response, isError, hasEnded: false };
  } catch (error) {
    const { status, message, isOfVersion, isTimeout } = failure(error);
    if (isOfVersion) {
      running.counter.add(true);
      signals.add("error", `${method} ${path}: ${message}`, request);
    }
    events.request({ version, outcome: isTimeout ? "timeout" : "error" }, seconds());
    events.log("warn", "a request failed", { version, path, reason: message });
    const hasEnded = error instanceof HostError && (error.code === "ended" || error.code === "timeout");
    return { response: plain(status, isOfVersion ? "The agent failed" : message), isError: true, hasEnded };
  }
}
