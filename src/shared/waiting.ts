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

/**
 * What is being started, unless the signal comes first. A start cannot be cut off half-way without losing what it may have
 * started: it continues, and what comes of it is handed to `abandon`.
 */
export async function startedUnless<T>(
  starting: Promise<T>,
  signal: AbortSignal | undefined,
  abandon: (started: T) => Promise<unknown>,
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal?.reason);
  if (signal?.aborted === true) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([starting, promise]);
  } catch (error) {
    // Its owner is told why; what ends it badly now is nobody's business any more.
    void starting.then(abandon).catch(() => undefined);
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}
