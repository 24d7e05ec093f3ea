// One input for one target: what it may not do is throw what is no error of ours, take long, take much memory, or fail later.
import { isPyroError } from '../src/shared/errors.ts';
import { TarError } from '../src/system/tar-header.ts';
import type { Target } from './target.ts';

/** An input that takes more of a processor is a way to keep pyro busy, `ms`; on a busy machine a clock says nothing */
const longestCpuMs = 2000;
/** An input that takes more is a way to fill its memory, `bytes` */
const mostGrowth = 256 * 1024 * 1024;

export class Attempts implements Disposable {
  readonly #target: Target;
  /** What nobody caught */
  readonly #stray: unknown[] = [];
  readonly #onStray = (error: unknown): void => void this.#stray.push(error);

  constructor(target: Target) {
    this.#target = target;
    for (const event of ['uncaughtException', 'unhandledRejection']) process.on(event, this.#onStray);
  }

  /** Why the target broke its word on this input, or undefined. */
  async try(input: Buffer): Promise<unknown> {
    if (input.length === 0) return undefined;
    const [started, before] = [process.threadCpuUsage(), process.memoryUsage.rss()];
    try {
      const running = this.#target.run(input);
      if (running instanceof Promise) await running;
    } catch (error) {
      if (!(error instanceof TarError || isPyroError(error)) || isPyroError(error, 'internal')) return error;
    }
    if (this.#stray.length > 0) return this.#stray.splice(0)[0];
    const { user, system } = process.threadCpuUsage(started);
    const tookMs = (user + system) / 1000;
    if (tookMs > longestCpuMs) return new Error(`took ${Math.round(tookMs)} ms of a processor`);
    const grown = process.memoryUsage.rss() - before;
    return grown > mostGrowth ? new Error(`took ${Math.round(grown / 1024 / 1024)} MiB`) : undefined;
  }

  [Symbol.dispose](): void {
    for (const event of ['uncaughtException', 'unhandledRejection']) process.off(event, this.#onStray);
  }
}

export function describe(failure: unknown): string {
  return failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
}

/** What two failures of one kind have in common. */
export function kindOf(failure: unknown): string {
  const text = failure instanceof Error ? `${failure.name} ${failure.message}` : String(failure);
  return (text.split('\n')[0] ?? '').replaceAll(/\d+/g, '#').slice(0, 60);
}
