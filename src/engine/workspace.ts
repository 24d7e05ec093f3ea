// One workspace: its record, its guest and its commands, with each change of its life one after the other.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Guest } from '../machine/guest.ts';
import type { CallContext } from '../shared/call-context.ts';
import { isPyroError, messageOf, PyroError } from '../shared/errors.ts';
import { isRunning } from '../system/processes.ts';
import type { CommandLog } from './command-log.ts';
import type { CommandRuns } from './command-runs.ts';
import { recordEvent } from './events.ts';
import { GuestTenants } from './guest-tenants.ts';
import { Mutex } from './mutex.ts';
import { layerOf, mergeLayers, reconcileLayers, removeUnneeded } from './snapshots.ts';
import type { LossReason } from './tenant-types.ts';
import { endGuest, type GuestPlace, type StartedGuest, startAbove, startOnDisk, takeOver } from './workspace-guest.ts';
import type { HeldGuest, WorkspaceHouse } from './workspace-house.ts';
import { newLayer, nowSeconds, type WorkspaceFiles, type WorkspaceRecord, writeRecord } from './workspace-record.ts';

/** Activity is written down at most so often, `s`; a crash may shorten an idle time by it. */
const activitySeconds = 10;

export class Workspace {
  readonly files: WorkspaceFiles;
  readonly tenants: GuestTenants;
  readonly log: CommandLog;
  readonly runs: CommandRuns;
  readonly #house: WorkspaceHouse;
  readonly #life = new Mutex();
  readonly #writing = new Mutex();
  #record: WorkspaceRecord;
  #guest: Guest | undefined;
  #busy = 0;
  /** True while the record on disk lacks the last activity */
  #isStale = false;
  #isDeleted = false;

  private constructor(house: WorkspaceHouse, files: WorkspaceFiles, record: WorkspaceRecord, tenants: GuestTenants) {
    this.#house = house;
    this.files = files;
    this.#record = record;
    this.tenants = tenants;
    this.log = tenants.log;
    this.runs = tenants.runs;
  }

  static async open(house: WorkspaceHouse, files: WorkspaceFiles, record: WorkspaceRecord): Promise<Workspace> {
    return new Workspace(house, files, record, await GuestTenants.open(files));
  }

  get record(): WorkspaceRecord {
    return this.#record;
  }

  get guest(): Guest | undefined {
    return this.#guest;
  }

  get isBusy(): boolean {
    return this.#busy > 0 || this.runs.count > 0;
  }

  get idleSeconds(): number {
    return this.isBusy ? 0 : Math.max(0, nowSeconds() - this.#record.last_activity_at);
  }

  /** Changes the record and writes it; the new one holds for everybody at once. */
  async update(changes: Partial<WorkspaceRecord>): Promise<void> {
    this.#record = { ...this.#record, ...changes };
    this.#isStale = false;
    await this.#writing.run(async () => {
      if (!this.#isDeleted) await writeRecord(this.files, this.#record);
    });
  }

  /** Takes a guest that was started for this workspace. */
  hold({ guest }: StartedGuest): void {
    this.#guest = guest;
    void guest.process.ended.then(() => this.#onEnd(guest));
  }

  /** Work with the guest, which is started from its disk when it is not there. Throws `workspace_stopped`. */
  async use<T>(context: CallContext, work: (held: HeldGuest) => Promise<T>): Promise<T> {
    this.#busy++;
    try {
      const held = await this.#life.run(() => this.#ensureGuest(context, false));
      return await work(held);
    } catch (error) {
      if (!isPyroError(error, 'guest_unreachable')) throw error;
      throw new PyroError('guest_unreachable', error.message, {
        hint: 'make the call again: a guest that has ended starts again from its disk, with all that was synced',
        cause: error,
      });
    } finally {
      this.#busy--;
      await this.touch();
    }
  }

  async touch(): Promise<void> {
    const now = nowSeconds();
    const isDue = now - this.#record.last_activity_at >= activitySeconds;
    this.#record = { ...this.#record, last_activity_at: now };
    this.#isStale = true;
    if (isDue) await this.update({});
  }

  /** Starts the guest, also after an explicit stop. */
  async start(context: CallContext): Promise<void> {
    await this.#life.run(() => this.#ensureGuest(context, true));
  }

  /** Syncs and ends the guest; what it has written stays. */
  async stop(reason: 'idle' | 'explicit', context: CallContext): Promise<void> {
    await this.#life.run(async () => {
      const guest = this.#guest;
      if (guest !== undefined) {
        await this.tenants.quiesce(context.signal);
        // A guest that no longer answers is ended all the same; its journal is replayed at the next start.
        await guest.client.sync({ signal: context.signal, timeoutMs: 20_000 }).catch(() => undefined);
        await this.#end(guest, context, 'workspace_stopped');
        await recordEvent(this.files.events, 'stopped', reason);
      }
      await this.update({ state: 'stopped', stop_reason: reason, guest: null });
    });
    this.#house.expectRestart(this);
  }

  /** Another guest takes the place of the present one, which goes only then: the seed's, or that of a snapshot. */
  async reset(snapshot: string, context: CallContext): Promise<void> {
    await this.#life.run(async () => {
      this.#assertThere();
      const old = { guest: this.#guest, record: this.#record };
      const below = snapshot === 'baseline' ? null : layerOf(this.#record, snapshot);
      const disk = newLayer();
      const place = await this.place(context, { ...this.#record, disk });
      let started: StartedGuest;
      try {
        started = await startAbove(place, below);
      } catch (error) {
        await rm(join(this.files.folder, disk), { force: true });
        throw error;
      }
      this.hold(started);
      await this.update({
        disk,
        layers: { ...this.#record.layers, [disk]: below },
        guest: started.record,
        state: 'started',
        stop_reason: null,
        reset_count: this.#record.reset_count + 1,
        last_reset_at: nowSeconds(),
        last_activity_at: nowSeconds(),
      });
      if (old.guest !== undefined && old.record.guest !== null) await endGuest(place.room, old.guest, old.record.guest);
      await this.tenants.loseAll('workspace_reset');
      await this.update(await removeUnneeded(this.files, this.#record));
      await recordEvent(this.files.events, 'reset', snapshot);
    });
  }

  /** A change of its life, after those that are under way. Throws `workspace_unknown` when it is deleted. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    return await this.#life.run(async () => {
      this.#assertThere();
      return await work();
    });
  }

  /** Ends the guest; the caller removes the folder. Nothing is written to it from now on. */
  async close(context: CallContext): Promise<void> {
    await this.#life.run(async () => {
      this.#isDeleted = true;
      if (this.#guest !== undefined) await this.#end(this.#guest, context, 'workspace_stopped');
    });
  }

  /** Lets go of everything; the guest runs on for the next daemon. */
  async release(): Promise<void> {
    await this.#life.run(async () => {
      if (this.#isStale) await this.update({});
      const guest = this.#guest;
      this.#guest = undefined;
      await guest?.release();
      await this.tenants.settle();
    });
  }

  /** Takes over the guest that the record names; one that is gone or does not answer counts as crashed. */
  async adopt(context: CallContext): Promise<void> {
    const noted = this.#record.guest;
    if (noted === null) return;
    await this.#life.run(async () => {
      const room = await this.#house.room(context);
      try {
        const guest = await takeOver(room, this.#record.id, noted, context.signal);
        this.hold({ guest, record: noted });
        await reconcileLayers(this, guest);
        await this.tenants.resume(guest.client);
      } catch (error) {
        await this.#onLoss(`not adopted: ${messageOf(error)}`);
      }
    });
  }

  async #ensureGuest(context: CallContext, isExplicit: boolean): Promise<HeldGuest> {
    this.#assertThere();
    const current = this.#guest;
    const noted = this.#record.guest;
    if (current !== undefined && noted !== null && !isRunning(noted.process)) {
      // Its end has not been told yet.
      this.#guest = undefined;
      await current.release();
      await this.#onLoss('its QEMU ended');
    } else if (current !== undefined) {
      if (current.client.isOpen) return { guest: current, restarted: false };
      const again = await this.#reconnect(current, context);
      if (again !== undefined) return { guest: again, restarted: false };
    }
    if (this.#record.stop_reason === 'explicit' && !isExplicit) {
      throw new PyroError('workspace_stopped', `workspace ${this.#record.id} was stopped`, {
        hint: `start it with: pyro workspace start ${this.#record.id} (workspace_start)`,
      });
    }
    this.#house.admit(this.#record.id, this.#record.mem_mib);
    await mergeLayers(this, context.signal);
    const started = await startOnDisk(await this.place(context, this.#record));
    this.hold(started);
    await this.update({ state: 'started', stop_reason: null, guest: started.record, last_activity_at: nowSeconds() });
    await recordEvent(this.files.events, isExplicit ? 'started' : 'restarted', '');
    await this.tenants.restart(started.guest.client);
    return { guest: started.guest, restarted: !isExplicit };
  }

  /** A broken session with a living guest: another session, and the running commands are followed again. */
  async #reconnect(current: Guest, context: CallContext): Promise<Guest | undefined> {
    const noted = this.#record.guest;
    if (noted === null) return undefined;
    const room = await this.#house.room(context);
    this.#guest = undefined;
    await current.release();
    try {
      const guest = await takeOver(room, this.#record.id, noted, context.signal);
      this.hold({ guest, record: noted });
      await this.tenants.resume(guest.client);
      return guest;
    } catch (error) {
      context.signal.throwIfAborted();
      await current.process.kill();
      await this.#onLoss(messageOf(error));
      return undefined;
    }
  }

  /** What a start of its guest needs to know. */
  async place(context: CallContext, plan: WorkspaceRecord): Promise<GuestPlace> {
    const { environment: name, environment_digest: digest } = this.#record;
    return {
      room: await this.#house.room(context),
      files: this.files,
      plan,
      environment: { digest, name },
      context,
    };
  }

  async #end(guest: Guest, context: CallContext, reason: LossReason): Promise<void> {
    this.#guest = undefined;
    const noted = this.#record.guest;
    if (noted === null) await guest[Symbol.asyncDispose]();
    else await endGuest(await this.#house.room(context), guest, noted);
    await this.tenants.loseAll(reason);
  }

  #onEnd(guest: Guest): void {
    if (this.#guest !== guest) return;
    this.#guest = undefined;
    void this.#life.run(async () => {
      await guest.release();
      if (this.#guest === undefined) await this.#onLoss('its QEMU ended');
    });
  }

  async #onLoss(why: string): Promise<void> {
    const noted = this.#record.guest;
    if (noted !== null) await this.#house.removeSockets(noted);
    await this.tenants.loseAll('guest_ended');
    if (this.#isDeleted) return;
    await this.update({ state: 'stopped', stop_reason: 'crash', guest: null });
    await recordEvent(this.files.events, 'stopped', why);
  }

  #assertThere(): void {
    if (!this.#isDeleted) return;
    throw new PyroError('workspace_unknown', `workspace ${this.#record.id} was deleted`);
  }
}
