// Notices when the daemon's one thread was held up, and what ran then: everybody waits for that.
import type { Log } from '../system/log.ts';

/** How often it looks while calls run, and how late a look may be before it is written down, `ms` */
const lookMs = 100;
const longestStallMs = 200;
const microsecondsPerMs = 1000;

export class StallWatch {
  readonly #log: Log;
  readonly #running = new Map<symbol, string>();
  #timer: NodeJS.Timeout | undefined;
  #last = 0;
  #cpu = process.cpuUsage();

  constructor(log: Log) {
    this.#log = log;
  }

  /** A call runs until what this gives back is called. */
  begin(operation: string): () => void {
    const key = Symbol(operation);
    this.#running.set(key, operation);
    if (this.#timer === undefined) {
      this.#mark();
      this.#timer = setInterval(() => this.#look(), lookMs);
      this.#timer.unref();
    }
    return () => {
      // What held the thread up to its end is no longer there at the next look.
      this.#look();
      this.#running.delete(key);
      if (this.#running.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  #mark(): void {
    this.#last = performance.now();
    this.#cpu = process.cpuUsage();
  }

  #look(): void {
    const late = performance.now() - this.#last - lookMs;
    if (late > longestStallMs) {
      const { user, system } = process.cpuUsage(this.#cpu);
      // A machine that slept, or that others keep busy, shows as a stall in which this process did nothing.
      const own = Math.round((user + system) / microsecondsPerMs);
      this.#log.info('stall', { ms: Math.round(late), own_cpu_ms: own, calls: [...new Set(this.#running.values())] });
    }
    this.#mark();
  }
}
