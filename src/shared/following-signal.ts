// A signal that follows several others, and lets go of them when the work that it is for has ended.

export interface FollowingSignal extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * Aborted as soon as one of the others is, with its reason. For sources that live long: `AbortSignal.any` is kept, with all
 * that listens to it, for as long as any of them lives, some kilobyte for each.
 */
export function followSignals(...sources: readonly AbortSignal[]): FollowingSignal {
  const following = new AbortController();
  const letGo = new AbortController();
  for (const source of sources) {
    if (source.aborted) following.abort(source.reason);
    else source.addEventListener('abort', () => following.abort(source.reason), { once: true, signal: letGo.signal });
  }
  return { signal: following.signal, [Symbol.dispose]: () => letGo.abort() };
}
