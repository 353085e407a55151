import type { Store } from "../store/store.ts";

/** Notifications that arrive within this time of each other are handled together. */
const restMilliseconds = 20;

export interface Notifications {
  /** Resolves at the next notification, after `pollMilliseconds` without one, or when it is closed or aborted. */
  next(): Promise<void>;
  /** Ends the wait as a notification would. */
  wake(): void;
  close(): void;
}

/** Lets a loop wait for notifications. One that arrives while the loop works ends its next wait. */
export function notificationsOf(
  store: Pick<Store, "subscribe">,
  signal: AbortSignal,
  pollMilliseconds: number,
): Notifications {
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
