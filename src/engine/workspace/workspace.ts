// One workspace: its record, its guest and its commands, with each change of its life one after the other.

import type { WorkspaceRecord } from '../../contract/records.ts';
import type { GuestEnd } from '../../machine/guest-end.ts';
import { explain, shownState } from '../../machine/guest-trouble.ts';
import { endLeftGuest } from '../../machine/left-guests.ts';
import type { Guest, KnownGuest, StartedGuest } from '../../machine/machine.ts';
import type { SecretSet } from '../../secrets/secret-set.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { PyroError } from '../../shared/errors.ts';
import { Mutex } from '../../shared/mutex.ts';
import { isRunning } from '../../system/processes.ts';
import type { CommandLog } from '../commands/command-log.ts';
import type { CommandRuns } from '../commands/command-runs.ts';
import { GuestNetwork } from '../guests/guest-network.ts';
import { MemoryShare } from '../guests/memory-share.ts';
import type { LossReason } from '../guests/tenant-types.ts';
import { AuditLog } from '../output/audit.ts';
import { noteAttempt } from '../output/audit-notes.ts';
import { GuestHold, noteLoss } from './guest-hold.ts';
import { planOf, watchOutput } from './guest-plan.ts';
import { GuestTenants } from './guest-tenants.ts';
import { RecordKeeper } from './record-keeper.ts';
import type { HeldGuest, SharedResources } from './shared-resources.ts';
import { mergeLayers, sweepLayers } from './snapshots.ts';
import { settleForStop } from './unsaved-work.ts';
import { stoppedError } from './workspace-find.ts';
import type { WorkspaceFiles } from './workspace-record.ts';
import { maskError, noteEvent } from './workspace-secrets.ts';

export class Workspace {
  readonly files: WorkspaceFiles;
  readonly tenants: GuestTenants;
  readonly secrets: SecretSet;
  readonly network: GuestNetwork;
  readonly audit: AuditLog;
  readonly resources: SharedResources;
  readonly memory: MemoryShare;
  readonly #life = new Mutex();
  readonly #keeper: RecordKeeper;
  readonly #hold = new GuestHold();
  #busy = 0;

  private constructor(
    resources: SharedResources,
    files: WorkspaceFiles,
    record: WorkspaceRecord,
    tenants: GuestTenants,
    secrets: SecretSet,
  ) {
    this.resources = resources;
    this.secrets = secrets;
    this.audit = new AuditLog(files.audit, (text) => secrets.maskText(text));
    this.network = new GuestNetwork(files.network, record.network_grant, record.package_sources, (attempt) =>
      noteAttempt(this.audit, attempt),
    );
    this.files = files;
    this.#keeper = new RecordKeeper(files, record, resources.reserve);
    this.tenants = tenants;
    const { id, mem_mib: memMib } = record;
    this.memory = new MemoryShare(resources.memory, () => ({ id, memMib, idleSeconds: () => this.idleSeconds }));
    if (record.guest !== null) this.memory.noteRunning(record.guest.process);
  }

  static async open(resources: SharedResources, files: WorkspaceFiles, record: WorkspaceRecord, secrets: SecretSet) {
    return new Workspace(resources, files, record, await GuestTenants.open(files, secrets), secrets);
  }

  get record(): WorkspaceRecord {
    return this.#keeper.record;
  }

  get log(): CommandLog {
    return this.tenants.log;
  }

  get runs(): CommandRuns {
    return this.tenants.runs;
  }

  get guest(): Guest | undefined {
    return this.#hold.guest;
  }

  /** What keeps its guest from answering. */
  get trouble(): Guest['health']['trouble'] {
    return this.#hold.trouble;
  }

  get shownState(): ReturnType<typeof shownState> {
    return shownState(this.record, this.trouble);
  }

  /** Looks again whether a guest answers that no session could be opened with. */
  async listenAgain(context: CallContext): Promise<void> {
    await this.#life.run(async () => {
      if (this.#hold.isDeaf) await this.#reconnect(context);
    });
  }

  get isBusy(): boolean {
    return this.#busy > 0 || this.runs.count > 0;
  }

  get idleSeconds(): number {
    return this.isBusy ? 0 : this.#keeper.idleSeconds;
  }

  /** The new record holds for everybody at once. */
  async update(changes: Partial<WorkspaceRecord>): Promise<void> {
    await this.#keeper.update(changes);
  }

  /** Takes a guest that was started for this workspace, in the place of the reservation until it is gone. */
  attach(known: KnownGuest, reservation?: Disposable): void {
    const { guest } = known;
    this.memory.assign(known, reservation);
    this.#hold.take(guest);
    watchOutput(this, guest);
    void guest.ended.then((end) => this.#onEnd(guest, end));
  }

  /** Work with the guest, which is started from its disk when it is not there. Throws `workspace_stopped`. */
  async use<T>(context: CallContext, work: (held: HeldGuest) => Promise<T>): Promise<T> {
    this.#busy++;
    let guest: Guest | undefined;
    try {
      const held = await this.#life.run(() => this.#ensureGuest(context, false));
      guest = held.guest;
      return await guest.use(() => work(held));
    } catch (error) {
      throw maskError(await explain(error, guest, this.record.id), this.secrets);
    } finally {
      this.#busy--;
      await this.touch();
    }
  }

  async touch(changes?: Partial<WorkspaceRecord>): Promise<void> {
    await this.#keeper.touch(changes);
  }

  /** Starts the guest, also after an explicit stop. */
  async start(context: CallContext): Promise<void> {
    await this.#life.run(() => this.#ensureGuest(context, true));
  }

  /** Syncs and ends the guest; what it has written stays. One that is not idle any more at its turn goes on. */
  async stop(reason: 'idle' | 'explicit', context: CallContext): Promise<void> {
    await this.#life.run(async () => {
      await this.#reconnect(context, true);
      if (reason === 'idle' && this.idleSeconds < this.record.ttl_seconds) return;
      if (await this.#stopGuest(context)) await noteEvent(this, 'stopped', reason);
      await this.update({ state: 'stopped', stop_reason: reason, stop_detail: null, guest: null });
    });
    this.resources.prepareNextStart(this);
  }

  /** Stops the guest for another one in its place, which gets its memory. Only within {@link exclusively}. */
  async stopForReplacement(context: CallContext): Promise<Disposable> {
    using undo = new DisposableStack();
    const memory = undo.use(this.memory.reserveReplacement());
    await this.#stopGuest(context);
    await this.update({ state: 'stopped', stop_reason: 'host', stop_detail: null, guest: null });
    undo.move();
    return memory;
  }

  /** Ends the guest with all that it has written on its disk, if it answers; false when there is none. */
  async #stopGuest(context: CallContext): Promise<boolean> {
    const guest = this.#hold.guest;
    if (guest === undefined) return await this.#hold.endUnheard(this);
    await settleForStop(this, guest, context);
    await this.#end(guest, 'workspace_stopped');
    return true;
  }

  /**
   * Another guest takes the place of the present one, which goes only then. Where that cannot be written down, all is as
   * it was, and the other guest is the caller's to end; once it is, nothing fails any more. Only within {@link exclusively}.
   */
  async replaceGuest(started: StartedGuest, reservation: Disposable, changes: Partial<WorkspaceRecord>): Promise<void> {
    const old = { guest: this.#hold.guest, noted: this.record.guest };
    await this.#keeper.exchange(changes);
    this.attach(started, reservation);
    this.resources.checkLater(this, { started });
    const ends = [
      async () => await (old.guest === undefined ? undefined : this.network.close(old.guest.client)),
      async () => await old.guest?.[Symbol.asyncDispose](),
      async () => await (old.guest !== undefined || old.noted === null ? undefined : endLeftGuest(old.noted)),
      async () => await (old.noted === null ? undefined : this.resources.removeSockets(old.noted)),
      async () => await this.tenants.markAllLost('workspace_reset'),
    ];
    // What cannot be ended or removed now goes with the next start: the caller must not take the new disk for one to throw away.
    for (const end of ends) await Promise.allSettled([end()]);
  }

  /**
   * A change of its life, after those that are under way; with `isReplacing` also one whose guest does not answer.
   * Throws `workspace_unknown` when it is deleted.
   */
  async exclusively<T>(context: CallContext, work: () => Promise<T>, isReplacing = false): Promise<T> {
    return await this.#life.run(async () => {
      this.#assertThere();
      await this.#reconnect(context, isReplacing);
      return await work();
    });
  }

  /** Ends the guest for good; the caller removes the folder. Nothing is written to it from now on. */
  async endForGood(): Promise<void> {
    await this.#life.run(async () => {
      const noted = this.record.guest;
      if (this.#hold.guest !== undefined) await this.#end(this.#hold.guest, 'workspace_stopped');
      else if (noted !== null) await endLeftGuest(noted);
      this.memory.free();
      await this.#keeper.close();
    });
  }

  /** Lets go of everything; the guest runs on for the next daemon. */
  async detach(): Promise<void> {
    await this.#life.run(async () => {
      await this.#keeper.flush();
      const guest = this.#hold.guest;
      this.#hold.drop();
      await this.network.closeAll();
      await guest?.detach();
      await this.tenants.settle();
      await this.#keeper.letGo();
    });
  }

  /** Takes over the guest that the record names; one that is gone or does not answer counts as crashed. */
  async takeOver(context: CallContext): Promise<void> {
    await this.#life.run(async () => {
      await this.#reconnect(context);
      await sweepLayers(this, this.#hold.guest === undefined, context);
    });
  }

  /**
   * A guest that runs and that nobody has a session with must not be passed by: it writes to the disk. But whoever is about to
   * end it need not hear from it first.
   */
  async #reconnect(context: CallContext, isEnding = false): Promise<void> {
    const noted = this.record.guest;
    if (this.#hold.guest !== undefined || noted === null || (isEnding && this.#hold.isDeaf)) return;
    try {
      await this.#hold.reconnect(this, this.#keeper, noted, context);
    } catch (error) {
      if (!isEnding || !this.#hold.isDeaf) throw error;
    }
  }

  async #ensureGuest(context: CallContext, isExplicit: boolean): Promise<HeldGuest> {
    this.#assertThere();
    const noted = this.record.guest;
    if (noted !== null) {
      if (this.#hold.guest?.client.isOpen === true && isRunning(noted.process)) {
        return { guest: this.#hold.guest, restarted: false };
      }
      // Its session broke, whoever began one was cut off, or its end has not been told yet.
      const again = await this.#hold.reconnect(this, this.#keeper, noted, context);
      if (again !== undefined) return { guest: again, restarted: false };
    }
    if (this.record.stop_reason === 'explicit' && !isExplicit) {
      throw stoppedError(this.record.id);
    }
    using reservation = this.memory.reserve();
    const machine = await this.resources.machine(context);
    await mergeLayers(this, machine.layers, context.signal);
    const started = await machine.startOnDisk(await planOf(this, this.record, context), context);
    this.attach(started, reservation);
    this.resources.checkLater(this, { started });
    await this.#keeper.noteStart(started.record);
    await noteEvent(this, isExplicit ? 'started' : 'restarted', '');
    await this.tenants.restart(started.guest.client);
    return { guest: started.guest, restarted: !isExplicit };
  }

  async #end(guest: Guest, reason: LossReason): Promise<void> {
    this.#hold.drop();
    await guest[Symbol.asyncDispose]();
    this.memory.free();
    if (this.record.guest !== null) await this.resources.removeSockets(this.record.guest);
    await this.tenants.markAllLost(reason);
  }

  #onEnd(guest: Guest, end: GuestEnd): void {
    if (this.#hold.guest !== guest) return;
    this.#hold.drop();
    void this.#life.run(async () => {
      await guest.detach();
      if (this.#hold.guest === undefined) await noteLoss(this, this.#keeper, end);
    });
  }

  #assertThere(): void {
    if (!this.#keeper.isClosed) return;
    throw new PyroError('workspace_unknown', `workspace ${this.record.id} was deleted`);
  }
}
