// One turn of a test of faults: a step of the story in a workspace that is ready for it, cut short as ordered, and what must hold then.
import { setTimeout as sleep } from 'node:timers/promises';
import { isPyroError, messageOf, reportError } from '../../src/shared/errors.ts';
import type { FaultHome } from './fault-home.ts';
import type { FaultOrder, FaultReport } from './fault-layer.ts';
import { prepareFiles, type StoryStep, showFiles } from './fault-story.ts';
import { until } from './until.ts';

export interface TurnResult {
  readonly report: FaultReport | undefined;
  /** Code of the error that the call ended with */
  readonly code: string | undefined;
  /** What did not hold */
  readonly faults: readonly string[];
}

export class FaultTurns {
  readonly #home: FaultHome;
  #id = '';
  #turn = 0;

  constructor(home: FaultHome) {
    this.#home = home;
  }

  /** Makes the step with this fault, and looks at what it has left. */
  async take(step: StoryStep, order: FaultOrder): Promise<TurnResult> {
    const home = this.#home;
    this.#turn += 1;
    const turn = this.#turn;
    await this.#prepare(step, turn);
    const id = this.#id;
    const input = step.input({ home, id, turn });
    await home.order(order);
    const failed = await home.call(step.operation, input).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (order.kind === 'kill' && failed !== undefined) await until(() => home.hasEnded());
    const report = home.hasEnded() ? undefined : await home.order({ kind: 'learn' });
    const code = failed === undefined ? undefined : reportError(failed).code;
    const faults: string[] = [];
    if (code === 'internal') faults.push(`internal error: ${messageOf(isPyroError(failed) ? failed : failed)}`);
    if (home.hasEnded()) {
      if (order.kind !== 'kill') faults.push(`the daemon has ended: ${home.said.slice(-2000)}`);
      await home.start();
    }
    try {
      faults.push(...(await this.#look(step, turn, code)), ...(step.look?.({ home, id, turn }) ?? []));
    } catch (error) {
      faults.push(`afterwards: ${messageOf(error)}`);
      // What stands there now is no ground for the next turn.
      await home.restart();
      await this.#clear();
    }
    return { report, code, faults };
  }

  async #prepare({ operation, begins }: StoryStep, turn: number): Promise<void> {
    const home = this.#home;
    if (this.#id === '') this.#id = await home.create();
    await home.call('workspace.start', { workspace_id: this.#id });
    await home.sh(this.#id, prepareFiles(turn));
    if (begins === 'stopped') await home.call('workspace.stop', { workspace_id: this.#id });
    if (operation === 'workspace.summary' || operation === 'workspace.diff')
      await home.sh(this.#id, 'echo more >> three');
  }

  /** What is still there a moment later: an answer comes before the last activity is written down. */
  async #leftovers(): Promise<string[]> {
    let left = await this.#home.leftovers();
    for (let look = 0; look < 20 && left.length > 0; look++) {
      await sleep(50);
      left = await this.#home.leftovers();
    }
    return left;
  }

  async #look({ operation, allowed }: StoryStep, turn: number, code: string | undefined): Promise<string[]> {
    const home = this.#home;
    const faults: string[] = [];
    const listed = await home.list();
    for (const [id, state] of listed) if (state === 'damaged') faults.push(`${id} is damaged`);
    for (const id of listed.keys()) {
      if (id === this.#id) continue;
      if (operation !== 'workspace.create') faults.push(`there is a workspace ${id}`);
      await home.sh(id, 'cat one two');
      await home.call('workspace.delete', { workspace_id: id });
    }
    if (!listed.has(this.#id)) {
      if (operation !== 'workspace.delete') faults.push('the workspace is gone');
      this.#id = '';
    } else if (operation === 'workspace.delete' && code === undefined) faults.push('it is still there');
    else {
      await home.call('workspace.start', { workspace_id: this.#id });
      const files = await home.sh(this.#id, showFiles);
      if (!allowed(turn).includes(files)) faults.push(`files: ${files}`);
    }
    // A sample is asked about once, at its end.
    if (process.env['PYRO_SOAK'] === '1') faults.push(...(await home.doctor()));
    // What could not be taken away at once goes with the next start.
    if ((await this.#leftovers()).length > 0) await home.restart();
    const left = await this.#leftovers();
    if (left.length > 0) {
      faults.push(`left: ${left.join(', ')}`);
      await this.#clear();
    }
    return faults;
  }

  async #clear(): Promise<void> {
    this.#id = '';
    for (const id of (await this.#home.list()).keys()) await this.#home.call('workspace.delete', { workspace_id: id });
  }
}
