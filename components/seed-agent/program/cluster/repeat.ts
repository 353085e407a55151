import { asError } from "../../../lib/as-error.ts";

/** Repeats something until it is stopped, with a pause after each time. */
export function repeat(turn: () => Promise<void>, pauseMilliseconds: () => number, onError: (error: Error) => void) {
  const stopping = new AbortController();
  let loop: Promise<void> | undefined;
  const run = async () => {
    while (!stopping.signal.aborted) {
      await turn().catch((error: unknown) => onError(asError(error)));
      await delay(pauseMilliseconds(), stopping.signal);
    }
  };
  return {
    start(): void {
      loop ??= run();
    },
    /** Waits until the current turn has ended. */
    async stop(): Promise<void> {
      stopping.abort();
      await loop;
    },
  };
}

/** Resolves early, without an error, when the signal is aborted. */
export function delay(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  const end = () => resolve();
  signal.addEventListener("abort", end, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  });
}
