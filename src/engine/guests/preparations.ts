// Environments on their way: one pull or build each, which goes on when the call that asked for it no longer waits.
import { pullEnvironment } from '../../environment/pull.ts';
import { type Environment, openStore, resolveEnvironment } from '../../environment/store.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { PyroError } from '../../shared/errors.ts';
import type { Progress } from '../../shared/progress.ts';
import { waitForAny } from '../../shared/waiting.ts';
import { assertRoom } from '../../system/disk-room.ts';
import type { Paths } from '../../system/paths.ts';

interface Preparation {
  readonly work: Promise<Environment>;
  readonly listeners: Set<(progress: Progress) => void>;
  last: Progress;
}

export class Preparations {
  readonly #paths: Paths;
  readonly #closing: AbortSignal;
  readonly #underway = new Map<string, Preparation>();

  constructor(paths: Paths, closing: AbortSignal) {
    this.#paths = paths;
    this.#closing = closing;
  }

  /** Environments that are on their way now */
  get count(): number {
    return this.#underway.size;
  }

  /** The environment, waited for `waitMs` at most. Throws `environment_preparing` when it takes longer. */
  async environment(name: string, waitMs: number, context: CallContext): Promise<Environment> {
    const cached = await resolveEnvironment(openStore(this.#paths.cache), name);
    if (cached !== undefined) return cached;
    if (!this.#underway.has(name)) await assertRoom(this.#paths, 'a new environment', context.signal);
    const preparation = this.#underway.get(name) ?? this.#begin(name);
    preparation.listeners.add(context.onProgress);
    try {
      let ready: Environment | undefined;
      const done = preparation.work.then((environment) => {
        ready = environment;
      });
      // A call that is over already does not wait for it.
      done.catch(() => undefined);
      await waitForAny([done], waitMs, context.signal);
      if (ready !== undefined) return ready;
    } finally {
      preparation.listeners.delete(context.onProgress);
    }
    const { last } = preparation;
    const percent = percentOf(last);
    throw new PyroError('environment_preparing', `${name} is still being prepared: ${last.message}`, {
      hint: 'make the same call again in half a minute; the work continues in the background',
      details: { phase: last.phase, percent: percent ?? null },
    });
  }

  #begin(name: string): Preparation {
    const listeners = new Set<(progress: Progress) => void>();
    const preparation: Preparation = {
      listeners,
      last: { phase: 'pull', message: 'starting' },
      work: pullEnvironment({
        store: openStore(this.#paths.cache),
        name,
        source: 'auto',
        signal: this.#closing,
        onProgress: (progress) => {
          preparation.last = progress;
          for (const listener of listeners) listener(progress);
        },
      }).then(({ environment }) => environment),
    };
    this.#underway.set(name, preparation);
    const forget = (): void => void this.#underway.delete(name);
    preparation.work.then(forget, forget);
    return preparation;
  }
}

function percentOf({ doneBytes, totalBytes }: Progress): number | undefined {
  if (doneBytes === undefined || totalBytes === undefined || totalBytes === 0) return undefined;
  return Math.floor((100 * doneBytes) / totalBytes);
}
