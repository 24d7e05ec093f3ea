// The commands of a workspace that run now.
import type { GuestClient } from '../../agent/guest-client.ts';
import type { CommandRecord } from '../../contract/records.ts';
import { isPyroError, PyroError } from '../../shared/errors.ts';
import { isNoLongerWaiting } from '../../shared/leaving.ts';
import { startedUnless } from '../../shared/waiting.ts';
import type { CommandLog } from './command-log.ts';
import { type CommandRun, followAgain, type LiveEnds, type StartedCommand, startCommand } from './command-run.ts';
import type { StartedLine } from './shell-line.ts';

export class CommandRuns {
  readonly #log: CommandLog;
  readonly #runs = new Map<number, CommandRun>();
  readonly #starting = new Set<Promise<unknown>>();

  constructor(log: CommandLog) {
    this.#log = log;
  }

  /** Those that start included. */
  get count(): number {
    return this.#runs.size + this.#starting.size;
  }

  /** Ids of their processes in the guest. */
  get processes(): string[] {
    return this.#log.running().flatMap(({ process }) => process ?? []);
  }

  get sequences(): number[] {
    return [...this.#runs.keys()];
  }

  get(sequence: number): CommandRun | undefined {
    return this.#runs.get(sequence);
  }

  /**
   * Starts a command. A command that the guest refuses leaves a record with that end. One that is cancelled while it starts
   * is killed as soon as it has; where the caller only no longer waits, it keeps running.
   * @param onStarted also called for a command whose caller has left meanwhile
   */
  async start(
    record: CommandRecord,
    startProcess: () => Promise<StartedLine>,
    live: LiveEnds,
    signal: AbortSignal,
    onStarted: (run: CommandRun) => Promise<void> = async () => undefined,
  ): Promise<StartedCommand> {
    const starting = this.#start(record, startProcess, live).then(async (started) => {
      await onStarted(started.run);
      return started;
    });
    return await startedUnless(starting, signal, async ({ run }) => {
      if (!isNoLongerWaiting(signal.reason)) await run.signal('KILL', 'all');
    });
  }

  async #start(
    record: CommandRecord,
    startProcess: () => Promise<StartedLine>,
    live: LiveEnds,
  ): Promise<StartedCommand> {
    const starting = startCommand(startProcess(), this.#log, record, live);
    this.#starting.add(starting);
    try {
      const started = await starting;
      this.#keep(started.run);
      return started;
    } catch (error) {
      const ended = { ...record, ended_at: Date.now() / 1000 };
      const isRefused = isPyroError(error) && !isPyroError(error, 'guest_unreachable');
      // A full disk must not hide why it did not start.
      await this.#log.save(isRefused ? { ...ended, exit_code: 126 } : { ...ended, lost: true }).catch(() => undefined);
      throw error;
    } finally {
      this.#starting.delete(starting);
    }
  }

  /** Follows again what was running when the last session ended; what the guest no longer knows is lost. */
  async resume(client: GuestClient): Promise<void> {
    await this.settle();
    for (const record of this.#log.running()) {
      try {
        if (record.process === null) throw new PyroError('command_unknown', 'its process never started');
        this.#keep(await followAgain(client, this.#log, record));
      } catch (error) {
        if (isPyroError(error, 'guest_unreachable')) throw error;
        await this.#lose(record);
      }
    }
  }

  /** Waits until all have noticed that their session has ended. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#starting);
    await Promise.all([...this.#runs.values()].map(({ done }) => done));
  }

  /** Their guest is gone. */
  async markAllLost(): Promise<void> {
    await this.settle();
    for (const record of this.#log.running()) await this.#lose(record);
  }

  async #lose(record: CommandRecord): Promise<void> {
    await this.#log.save({ ...record, ended_at: Date.now() / 1000, lost: true });
  }

  #keep(run: CommandRun): void {
    this.#runs.set(run.sequence, run);
    void run.done.then(() => {
      if (this.#runs.get(run.sequence) === run) this.#runs.delete(run.sequence);
    });
  }
}
