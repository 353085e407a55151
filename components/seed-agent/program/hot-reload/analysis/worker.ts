/** The worker thread that runs TypeScript, which blocks for seconds. */
import { parentPort } from "node:worker_threads";
import type { Sources } from "../../domain.ts";
import { analyze } from "./analyze.ts";

export interface AnalysisRequest {
  readonly sources: Sources;
  readonly seedTypes: string;
}

parentPort?.on("message", ({ sources, seedTypes }: AnalysisRequest) => {
  parentPort?.postMessage({ analysis: analyze(sources, seedTypes) });
});
