// What goes out of the cache between the moment in which it is chosen and that in which it is used.
import { isPyroError, PyroError } from '../shared/errors.ts';

/** A clean-up of another process, or a look that found it damaged, may take away what was there when it was chosen. */
export function takenAway(path: string, cause: unknown): PyroError {
  const message = `${path} was taken away while a guest was to start from it`;
  return new PyroError('cache_changed', message, { cause });
}

/** Once more, from the choice of what to start from, where that was taken away meanwhile. */
export async function againIfTakenAway<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isPyroError(error, 'cache_changed')) throw error;
    return await work();
  }
}
