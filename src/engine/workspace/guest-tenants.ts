// What lives in a workspace's guest and is looked after from outside: commands, shells, services.
import type { GuestClient } from '../../agent/guest-client.ts';
import type { SecretSet } from '../../secrets/secret-set.ts';
import { CommandLog } from '../commands/command-log.ts';
import { CommandRuns } from '../commands/command-runs.ts';
import type { LossReason } from '../guests/tenant-types.ts';
import { Services } from '../services/services.ts';
import { Shells } from '../shells/shells.ts';
import type { WorkspaceFiles } from './workspace-record.ts';

/** Where their records and output lie */
export type TenantFiles = Pick<WorkspaceFiles, 'commands' | 'shells' | 'services' | 'events'>;

export class GuestTenants {
  readonly log: CommandLog;
  readonly runs: CommandRuns;
  readonly shells: Shells;
  readonly services: Services;

  private constructor(log: CommandLog, shells: Shells, services: Services) {
    this.log = log;
    this.runs = new CommandRuns(log);
    this.shells = shells;
    this.services = services;
  }

  static async open(files: TenantFiles, secrets: SecretSet): Promise<GuestTenants> {
    return new GuestTenants(
      await CommandLog.open(files.commands),
      await Shells.open(files.shells),
      await Services.open(files.services, files.events, secrets),
    );
  }

  /** The session is another one, the guest the same: what ran is followed again, and what nobody can ask for goes. */
  async resume(client: GuestClient): Promise<void> {
    // Looked at first: what is started from now on has an owner.
    const found = await client.processes();
    await this.runs.resume(client);
    await this.shells.resume(client);
    await this.services.resume(client);
    const owned = new Set([...this.runs.processes, ...this.shells.processes, ...this.services.processes]);
    for (const id of found) {
      // One that has gone meanwhile needs nothing.
      if (!owned.has(id)) await client.forget(id).catch(() => undefined);
    }
  }

  /** The guest was started again from its disk: what should run in it is started. */
  async restart(client: GuestClient): Promise<void> {
    await this.services.restart(client);
  }

  /** The guest will be stopped: what should end well is asked to. */
  async quiesce(signal: AbortSignal): Promise<void> {
    await this.services.quiesce(signal);
  }

  /** Waits until all have noticed that their session has ended. */
  async settle(): Promise<void> {
    await Promise.all([this.runs.settle(), this.shells.settle(), this.services.settle()]);
  }

  /** The guest is gone. */
  async markAllLost(reason: LossReason): Promise<void> {
    await this.runs.markAllLost();
    await this.shells.markAllLost();
    await this.services.markAllLost(reason);
  }
}
