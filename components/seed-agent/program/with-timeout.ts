/** Rejects with `timeoutError()` if the promise takes longer. The work behind it continues, and its result is dropped. */
export async function withTimeout<Result>(
  promise: Promise<Result>,
  milliseconds: number,
  timeoutError: () => Error,
): Promise<Result> {
  const { promise: timeout, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(timeoutError()), milliseconds);
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
