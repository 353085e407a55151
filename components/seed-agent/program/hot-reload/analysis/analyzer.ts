import { Worker } from "node:worker_threads";
import type { Sources } from "../../domain.ts";
import { analysisFile, seedTypes } from "../assets.ts";
import type { Analysis } from "./analyze.ts";

/** The first time loads TypeScript and its libraries. */
const mostMilliseconds = 60_000;
/** After this time without a change its memory, some 200 MB, is given back. */
const idleMilliseconds = 5 * 60_000;
const heapMb = 1024;

let worker: Worker | undefined;
let idle: NodeJS.Timeout | undefined;
let queue: Promise<unknown> = Promise.resolve();

/** Analyzes one version after another, in a thread of its own. @throws if it takes too long, or too much memory */
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
  const timer = setTimeout(() => reject(new Error(tooLong)), mostMilliseconds);
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

const tooLong = `the type check took more than ${mostMilliseconds / 1000} s; make the types simpler`;

function start(): Worker {
  const limits = { maxOldGenerationSizeMb: heapMb };
  const thread = new Worker(analysisFile(), { env: {}, resourceLimits: limits, stdout: false });
  // Between two analyses nobody else listens, and an error without a listener would end the service.
  thread.on("error", () => {});
  thread.once("exit", () => {
    if (worker === thread) worker = undefined;
  });
  return thread;
}

/** Gives its memory back now. The next analysis starts it again. */
export async function endAnalyzer(): Promise<void> {
  clearTimeout(idle);
  const thread = worker;
  worker = undefined;
  await thread?.terminate();
}
