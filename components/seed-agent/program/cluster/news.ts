import type { Store } from "../store/store.ts";

/** News that arrive together are looked at together. */
const restMilliseconds = 20;

export interface News {
  /** Resolves at the next news, after `pollMilliseconds` without any, or when it is closed or aborted. */
  next(): Promise<void>;
  /** As if there were news. */
  wake(): void;
  close(): void;
}

/** What a loop waits for between its turns. News that arrive during a turn end the next wait. */
export function newsOf(store: Pick<Store, "subscribe">, signal: AbortSignal, pollMilliseconds: number): News {
  let isDue = false;
  let isOver = signal.aborted;
  let resolve = () => {};
  const wake = () => {
    isDue = true;
    resolve();
  };
  const close = () => {
    isOver = true;
    unsubscribe();
    signal.removeEventListener("abort", close);
    resolve();
  };
  const unsubscribe = store.subscribe(wake);
  signal.addEventListener("abort", close);
  return {
    async next() {
      if (!isDue && !isOver) await wait(pollMilliseconds, (now) => (resolve = now));
      else if (!isOver) await wait(restMilliseconds, () => {});
      isDue = false;
    },
    wake,
    close,
  };
}

function wait(milliseconds: number, onWait: (resolve: () => void) => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  onWait(resolve);
  return promise.finally(() => clearTimeout(timer));
}
