// The shells of a workspace: opened, found again after a daemon was replaced, lost with their guest.
import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestClient } from '../../agent/guest-client.ts';
import { type ShellRecord, shellIdSchema } from '../../contract/records.ts';
import { isPyroError, PyroError } from '../../shared/errors.ts';
import { ExclusiveNames } from '../../shared/exclusive-names.ts';
import { hintCall } from '../../shared/hint-words.ts';
import { mebibyte } from '../../shared/units.ts';
import { makeFolder } from '../../system/folders.ts';
import { startLoginShell } from './login-shell.ts';
import { Shell } from './shell.ts';

export const mostShells = 32;
/** Output that the guest keeps while nobody follows; the terminal waits when it is full */
const bufferBytes = 4 * mebibyte;

export class Shells {
  readonly #folder: string;
  readonly #shells = new Map<string, Shell>();
  readonly #opening = new ExclusiveNames();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<Shells> {
    const shells = new Shells(folder);
    await makeFolder(folder);
    for (const name of await readdir(folder)) {
      if (!shellIdSchema.safeParse(name).success) continue;
      const shell = await Shell.load(join(folder, name));
      if (shell !== undefined) shells.#shells.set(name, shell);
    }
    return shells;
  }

  /** Throws `shell_unknown`. */
  get(id: string): Shell {
    const shell = this.#shells.get(id);
    if (shell === undefined) {
      throw new PyroError('shell_unknown', `there is no shell ${id.slice(0, 64)}`, {
        hint: `list the shells of a workspace with: ${hintCall('workspace.shell.list')}`,
      });
    }
    return shell;
  }

  /** Oldest first. */
  all(): Shell[] {
    return [...this.#shells.values()].sort((a, b) => a.record.started_at - b.record.started_at);
  }

  /** Throws `limit_reached`. */
  async start(
    client: GuestClient,
    request: Readonly<{ cwd: string; cols: number; rows: number; env: Readonly<Record<string, string>> }>,
    signal: AbortSignal,
  ): Promise<Shell> {
    const id = randomBytes(6).toString('hex');
    using _place = this.#opening.take(id);
    if (this.#opening.countWith(this.#shells.keys()) > mostShells) {
      throw new PyroError('limit_reached', `the workspace already has ${mostShells} shells`, {
        hint: `close one with: ${hintCall('workspace.shell.close')}; ended shells count, too`,
      });
    }
    const { cwd, cols, rows, env } = request;
    const { process, program } = await startLoginShell(
      client,
      { env: { ...env }, cwd, stdin: true, terminal: { cols, rows }, buffer_bytes: bufferBytes, overflow: 'block' },
      signal,
    );
    const record: ShellRecord = {
      version: 1,
      id,
      process: process.id,
      program,
      cwd,
      sizes: [{ at: 0, cols, rows }],
      started_at: Date.now() / 1000,
      ended_at: null,
      exit_code: null,
      lost: false,
    };
    const folder = join(this.#folder, record.id);
    try {
      const shell = await Shell.create(folder, record, process);
      this.#shells.set(record.id, shell);
      return shell;
    } catch (error) {
      await process.forget().catch(() => undefined);
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Ends a shell and discards its output. */
  async close(id: string): Promise<ShellRecord> {
    const shell = this.get(id);
    await shell.close();
    this.#shells.delete(id);
    await shell.remove();
    return shell.record;
  }

  /** Ids in the guest of the running ones. */
  get processes(): string[] {
    return this.#running().map(({ record }) => record.process);
  }

  async resume(client: GuestClient): Promise<void> {
    await this.settle();
    for (const shell of this.#running()) {
      try {
        await shell.resume(client);
      } catch (error) {
        if (isPyroError(error, 'guest_unreachable')) throw error;
        await shell.lose();
      }
    }
  }

  async settle(): Promise<void> {
    await Promise.all(this.all().map((shell) => shell.settle()));
  }

  async markAllLost(): Promise<void> {
    await this.settle();
    for (const shell of this.#running()) await shell.lose();
  }

  #running(): Shell[] {
    return this.all().filter((shell) => shell.isRunning);
  }
}
