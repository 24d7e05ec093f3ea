// Turns of this process: whoever works through what is there already lets others have theirs in between.
import { setTimeout as sleep } from 'node:timers/promises';

/** How long one may keep this process from everything else, `ms` */
const longestTurnMs = 4;
/** As long again for the others, who get on by many small steps, `ms` */
const pauseMs = 4;

/** Of one piece of work. */
export class Turns {
  #beganAt = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#beganAt > longestTurnMs;
  }

  /** Lets others have a turn, and begins the next. */
  async next(): Promise<void> {
    await sleep(pauseMs);
    this.#beganAt = performance.now();
  }
}
