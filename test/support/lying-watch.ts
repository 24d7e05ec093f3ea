// What is looked at while a guest lies: the calls of another workspace, the daemon's memory and log, and what is left behind.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type GuestCallName, guestCalls } from './guest-calls.ts';
import { Bystander, type LyingHouse, type Outcome } from './lying-house.ts';
import { until } from './until.ts';

const mostMemoryMib = 400;
const mostListMs = 1000;
/** Times that a command may take of what it took before */
const mostTimes = 3;

export interface WatchOptions {
  /** What a command takes at least where other tests run beside it, `ms` */
  readonly leastExecMs: number;
  /** Times that one may take where there were few, of which a busy machine makes one slow */
  readonly mostTimesOfFew?: number;
}

export class Watch implements Disposable {
  readonly bystander: Bystander;
  readonly #house: LyingHouse;
  readonly #options: WatchOptions;
  /** A folder of the host for what goes in and out */
  readonly #host = mkdtempSync(join(tmpdir(), 'ph-'));
  #folders = 0;
  #execBefore = 0;

  /** @param id the workspace of somebody else */
  constructor(house: LyingHouse, id: string, options: WatchOptions) {
    this.#house = house;
    this.bystander = new Bystander(house, id);
    this.#options = options;
  }

  async begin(): Promise<void> {
    this.#house.forgetPeak();
    this.#execBefore = (await this.bystander.measure(5)).execMs;
    this.bystander.watch();
  }

  /** Fails where anybody else was hindered, or something was left. */
  async end(): Promise<void> {
    const { execMs, listMs, count } = await this.bystander.stop();
    expect(listMs, 'longest list of another').toBeLessThan(mostListMs);
    const { leastExecMs, mostTimesOfFew = mostTimes } = this.#options;
    const most = (count < 5 ? mostTimesOfFew : mostTimes) * Math.max(this.#execBefore, leastExecMs);
    expect(execMs, `exec of another, ${count} times`).toBeLessThan(most);
    expect(this.#house.peakMib, 'memory of the daemon').toBeLessThan(mostMemoryMib);
    expect(this.#house.daemonLog).not.toMatch(/unhandled_rejection|uncaught_exception|operation_failed/);
    await until(() => this.#house.children.length === 0);
  }

  /** Makes a call; it must end in its time, and leave nothing on the host that a guest has thought of. */
  async meet(id: string, name: GuestCallName, withinMs: number): Promise<Outcome> {
    const { operation, input } = guestCalls[name];
    const folder = join(this.#host, `${this.#folders++}`);
    mkdirSync(folder);
    const given = { workspace_id: id, ...input(folder) };
    const outcome = await this.#house.outcome(operation, given, AbortSignal.timeout(withinMs));
    if ('code' in outcome) {
      expect(outcome.code, name).not.toBe('internal');
      expect(readdirSync(folder).filter((each) => each !== 'source')).toEqual([]);
    }
    expect(readdirSync(tmpdir()).filter((each) => each.startsWith('pyro-escaped'))).toEqual([]);
    return outcome;
  }

  [Symbol.dispose](): void {
    rmSync(this.#host, { recursive: true, force: true });
  }
}
