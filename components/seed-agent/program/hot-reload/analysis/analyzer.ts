import { Worker } from "node:worker_threads";
import type { Sources } from "../../domain.ts";
import { analysisFile, seedTypes } from "../assets.ts";
import type { Analysis } from "./analyze.ts";

/** The limit of one analysis. The first one also loads TypeScript and its libraries. */
const maxMilliseconds = 60_000;
/** After this time without a change, the thread is ended, which frees about 200 MB. */
const idleMilliseconds = 5 * 60_000;
const heapMb = 1024;

let worker: Worker | undefined;
let idle: NodeJS.Timeout | undefined;
let queue: Promise<unknown> = Promise.resolve();

/** Analyzes one version at a time, in a worker thread. @throws if that takes too long, or too much memory */
export function analyzeSources(sources: Sources, signal?: AbortSignal): Promise<Analysis> {
  const next = queue.then(() => run(sources, signal));
  queue = next.catch(() => {});
  return next;
}

async function run(sources: Sources, signal: AbortSignal | undefined): Promise<Analysis> {
  clearTimeout(idle);
  const types = await seedTypes();
  signal?.throwIfAborted();
  const thread = worker ?? start();
  worker = thread;
  const { promise, resolve, reject } = Promise.withResolvers<Analysis>();
  const timer = setTimeout(() => reject(new Error(tooLong)), maxMilliseconds);
  const onAbort = () => reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const onMessage = ({ analysis }: { readonly analysis: Analysis }) => resolve(analysis);
  const onExit = () => reject(new Error("the type check ended without a result"));
  thread.on("message", onMessage).on("error", reject).on("exit", onExit);
  thread.ref();
  thread.postMessage({ sources, seedTypes: types });
  try {
    return await promise;
  } catch (error) {
    worker = undefined;
    await thread.terminate();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    thread.off("message", onMessage).off("error", reject).off("exit", onExit);
    thread.unref();
    idle = setTimeout(endAnalyzer, idleMilliseconds).unref();
  }
}

const tooLong = `the type check took more than ${maxMilliseconds / 1000} s; make the types simpler`;

function start(): Worker {
  const limits = { maxOldGenerationSizeMb: heapMb };
  const thread = new Worker(analysisFile(), { env: {}, resourceLimits: limits, stdout: false });
  // Nobody else listens between two analyses, and an error without a listener would end the service.
  thread.on("error", () => {});
  thread.once("exit", () => {
    if (worker === thread) worker = undefined;
  });
  return thread;
}

/** Ends the thread. The next analysis starts a new one. */
export async function endAnalyzer(): Promise<void> {
  clearTimeout(idle);
  const thread = worker;
  worker = undefined;
  await thread?.terminate();
}
