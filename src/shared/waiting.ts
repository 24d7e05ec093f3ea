// Waiting with a deadline and a way to be cancelled.

/** Settles when one of the promises does, after `timeoutMs`, or, as a rejection, when the signal aborts. */
export async function waitForAny(
  promises: readonly Promise<unknown>[],
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  const onAbort = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  for (const each of promises) each.then(() => resolve(), reject);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
