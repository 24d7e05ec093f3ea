// One service: its process in the guest is followed, probed until it is ready, and brought back as its policy says.
import { join } from 'node:path';
import type { GuestClient } from '../../agent/guest-client.ts';
import type { GuestProcess } from '../../agent/guest-process.ts';
import type { ExitEvent } from '../../agent/messages.ts';
import type { ServiceRecord } from '../../contract/records.ts';
import type { ServiceView } from '../../contract/services.ts';
import { isPyroError, messageOf, PyroError } from '../../shared/errors.ts';
import { mebibyte } from '../../shared/units.ts';
import { waitForAny } from '../../shared/waiting.ts';
import { startLine } from '../commands/shell-line.ts';
import type { LossReason } from '../guests/tenant-types.ts';
import { StreamLog } from '../output/stream-log.ts';
import { decideFate, type Stopping } from './service-fate.ts';
import { ServiceKeeper, type ServiceOwner } from './service-keeper.ts';
import { ServicePorts } from './service-ports.ts';
import { waitUntilReady } from './service-probe.ts';
import { isAlive, viewOfService } from './service-record.ts';

/** Most output of one stream that is kept; the oldest goes first */
const keptBytes = 16 * mebibyte;
/** Output of one stream that the guest keeps while nobody follows; a service never waits for a reader */
const bufferBytes = 4 * mebibyte;
/** From TERM to KILL, `ms` */
const graceMs = 5000;

export type ServiceLogs = Readonly<Record<'stdout' | 'stderr', StreamLog>>;

export class Service {
  readonly logs: ServiceLogs;
  readonly #keeper: ServiceKeeper;
  readonly #ports = new ServicePorts();
  #client: GuestClient | undefined;
  #process: GuestProcess | undefined;
  #followed: Promise<void> = Promise.resolve();
  /** Ends the probing, or the wait for a restart, of the process under way */
  #attempt = new AbortController();
  #settled = Promise.withResolvers<void>();
  #detail: string | undefined;
  /** Why it was asked to end */
  #stopping: Stopping | undefined;
  #killAtMs = 0;

  private constructor(keeper: ServiceKeeper, logs: ServiceLogs) {
    this.#keeper = keeper;
    this.logs = logs;
  }

  static async open(place: ServiceOwner, record: ServiceRecord): Promise<Service> {
    const stdout = await StreamLog.open(join(place.folder, 'stdout'), keptBytes);
    const stderr = await StreamLog.open(join(place.folder, 'stderr'), keptBytes);
    return new Service(new ServiceKeeper(place, record), { stdout, stderr });
  }

  get record(): ServiceRecord {
    return this.#keeper.record;
  }

  /** Settles when it is ready, or over, or its next attempt is. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  view(workspaceId: string): ServiceView {
    const bytes = { stdout: this.logs.stdout.end, stderr: this.logs.stderr.end };
    return viewOfService(workspaceId, this.record, { detail: this.#detail, ports: this.#ports.views(), bytes });
  }

  /** Starts its process. Throws what the guest or a port refuses, and if it is stopped meanwhile; then nothing is left. */
  async launch(client: GuestClient, isRestart: boolean): Promise<void> {
    const { command, cwd, restart_count: count } = this.record;
    const env = this.#keeper.environment();
    this.#client = client;
    this.#begin();
    const { signal } = this.#attempt;
    const ports = await this.#ports.open(client, this.record.ports);
    const base = { stdout: this.logs.stdout.end, stderr: this.logs.stderr.end };
    let process: GuestProcess;
    try {
      const wanted = { env, cwd, stdin: false, buffer_bytes: bufferBytes, overflow: 'drop' as const };
      ({ process } = await startLine(client, command, wanted));
      if (signal.aborted) {
        await process.forget().catch(() => undefined);
        throw new PyroError('cancelled', `the service ${this.record.name} was stopped while it was starting`);
      }
    } catch (error) {
      await this.#ports.close();
      throw error;
    }
    await this.#keeper.update({
      state: 'starting',
      stop_reason: null,
      process: process.id,
      pid: process.pid ?? null,
      base,
      ports,
      started_at: Date.now() / 1000,
      ready_at: null,
      ended_at: null,
      exit_code: null,
      restart_count: count + (isRestart ? 1 : 0),
    });
    this.#keeper.note(isRestart ? 'restarted' : 'started');
    this.#follow(process, client);
  }

  /** Continues what an earlier session left. Throws the guest's answer if it does not know the process. */
  async resume(client: GuestClient): Promise<void> {
    this.#client = client;
    const { process: id, base, state, ports } = this.record;
    if (state === 'restarting' || id === null) {
      this.#scheduleRestart(0);
      return;
    }
    this.#begin();
    const offsets = {
      stdout: Math.max(0, this.logs.stdout.end - base.stdout),
      stderr: Math.max(0, this.logs.stderr.end - base.stderr),
    };
    const process = await client.attach(id, offsets);
    // A port that was taken meanwhile does not end the service.
    try {
      await this.#keeper.update({ ports: await this.#ports.open(client, ports) });
    } catch (error) {
      this.#keeper.note(`ports: ${messageOf(error)}`);
    }
    this.#follow(process, client);
  }

  /** TERM, then KILL; it does not restart by itself. */
  async stop(signal: AbortSignal): Promise<void> {
    await this.#keeper.update({ is_wanted: false });
    await this.#halt({ state: 'stopped', reason: 'sigterm' }, signal);
  }

  /** One that has ended no longer restarts with its guest. */
  async forgo(): Promise<void> {
    if (this.record.is_wanted) await this.#keeper.update({ is_wanted: false });
  }

  /** It should have restarted and could not. */
  async stayAway(why: unknown): Promise<void> {
    await this.#keeper.stayAway(why);
  }

  /** Its guest will be stopped; it restarts with the guest if its policy is `always`. */
  async quiesce(signal: AbortSignal): Promise<void> {
    await this.#halt({ state: 'stopped', reason: 'workspace_stopped' }, signal);
  }

  /** Waits until it has noticed that its session has ended; then nothing of it is in progress. */
  async settle(): Promise<void> {
    await this.#followed;
    this.#attempt.abort();
    await this.#ports.close();
  }

  /** Its guest is gone. */
  async lose(reason: LossReason): Promise<void> {
    await this.settle();
    this.#client = undefined;
    if (reason === 'workspace_reset') await this.#keeper.update({ is_wanted: false });
    if (isAlive(this.record)) await this.#end('stopped', reason, null);
  }

  async close(): Promise<void> {
    await this.logs.stdout[Symbol.asyncDispose]();
    await this.logs.stderr[Symbol.asyncDispose]();
  }

  async #halt(why: Stopping, signal: AbortSignal): Promise<void> {
    const process = this.#process;
    this.#attempt.abort();
    if (process === undefined) {
      if (isAlive(this.record)) await this.#end(why.state, why.reason, null);
      return;
    }
    this.#stopping = why;
    this.#killAtMs = performance.now() + graceMs;
    await process.signal('TERM', 'all').catch(() => undefined);
    await waitForAny([this.#followed], graceMs, signal);
    if (this.#process !== process) {
      // The leader has ended: what it has left is being waited for, or killed.
      await this.#followed;
      return;
    }
    this.#stopping = { ...why, reason: why.reason === 'sigterm' ? 'sigkill' : why.reason };
    await process.signal('KILL', 'all').catch(() => undefined);
    await waitForAny([this.#followed], graceMs, signal);
  }

  #begin(): void {
    this.#attempt.abort();
    this.#attempt = new AbortController();
    this.#settled = Promise.withResolvers<void>();
    this.#stopping = undefined;
    this.#detail = undefined;
  }

  #follow(process: GuestProcess, client: GuestClient): void {
    this.#process = process;
    // Whatever goes wrong there is in the record.
    this.#followed = this.#copy(process).catch(() => undefined);
    if (this.record.ready_at === null) void this.#awaitReady(client, this.#attempt.signal);
    else this.#settled.resolve();
  }

  async #copy(process: GuestProcess): Promise<void> {
    const { base } = this.record;
    try {
      const exit = await process.follow(
        (stream, bytes) => this.logs[stream].append(bytes),
        ({ stream, to }) => this.logs[stream].skip(base[stream] + to),
      );
      this.#process = undefined;
      // A shell that is told to end does so at once; its children get the same time as a single program would.
      const graceMs = this.#stopping === undefined ? 0 : this.#graceLeftMs();
      const forgotten = process.forget({ graceMs }).catch(() => undefined);
      if (graceMs > 0) await forgotten;
      await this.#onExit(exit);
      await forgotten;
    } catch (error) {
      this.#process = undefined;
      this.#attempt.abort();
      // The guest is gone, or this daemon lets go of it: the next session looks again.
      if (!isPyroError(error, 'guest_unreachable')) {
        await process.forget().catch(() => undefined);
        await this.#end('failed', this.#keeper.clean(error), null);
      }
    } finally {
      await this.close();
      this.logs.stdout.notify();
      this.logs.stderr.notify();
    }
  }

  #graceLeftMs(): number {
    return Math.max(0, Math.round(this.#killAtMs - performance.now()));
  }

  async #awaitReady(client: GuestClient, signal: AbortSignal): Promise<void> {
    const onUnready = (detail: string): void => {
      this.#detail = this.#keeper.clean(detail);
    };
    try {
      const seen = { ...this.record, env: this.#keeper.environment() };
      if (await waitUntilReady(client, seen, onUnready, signal)) {
        await this.#keeper.update({ state: 'running', ready_at: Date.now() / 1000 });
        this.#settled.resolve();
      } else await this.#halt({ state: 'failed', reason: 'readiness_timeout' }, new AbortController().signal);
    } catch (error) {
      // Its process has ended, it was stopped, or the session broke: each is told elsewhere.
      if (!signal.aborted && !isPyroError(error, 'guest_unreachable'))
        await this.#end('failed', this.#keeper.clean(error), null);
    }
  }

  async #onExit({ exit_code: exitCode }: ExitEvent): Promise<void> {
    this.#attempt.abort();
    await this.#ports.close();
    const fate = decideFate(this.record, this.#stopping, exitCode, Date.now() / 1000);
    if (fate.readyAt !== undefined) await this.#keeper.update({ ready_at: fate.readyAt });
    if (fate.kind === 'over') {
      await this.#end(fate.state, fate.reason, exitCode);
      return;
    }
    const ended = { ended_at: Date.now() / 1000, exit_code: exitCode, process: null, pid: null };
    await this.#keeper.update({ ...ended, state: 'restarting', attempts: fate.attempts });
    this.#keeper.note(`ended with ${exitCode}, restarts in ${fate.delayMs} ms`);
    this.#scheduleRestart(fate.delayMs);
  }

  #scheduleRestart(delayMs: number): void {
    this.#begin();
    const { signal } = this.#attempt;
    const client = this.#client;
    void waitForAny([], delayMs, signal).then(
      async () => {
        if (client === undefined || signal.aborted) return;
        try {
          await this.launch(client, true);
        } catch (error) {
          if (isPyroError(error, 'guest_unreachable', 'cancelled')) return;
          await this.#end('failed', this.#keeper.clean(error), null);
        }
      },
      // Stopped, or left to the next session.
      () => undefined,
    );
  }

  async #end(state: 'exited' | 'stopped' | 'failed', reason: string | null, exitCode: number | null): Promise<void> {
    await this.#keeper.end(state, reason, exitCode);
    this.#settled.resolve();
  }
}
