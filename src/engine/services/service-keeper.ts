// The record of one service: it holds in memory at once, is written as it changes, and has no secret in it.
import { join } from 'node:path';
import type { ServiceRecord } from '../../contract/records.ts';
import type { SecretSet } from '../../secrets/secret-set.ts';
import { messageOf } from '../../shared/errors.ts';
import { Mutex } from '../../shared/mutex.ts';
import { writeJson } from '../../system/files.ts';

/** Where a service is kept, and what it borrows. */
export interface ServiceOwner {
  readonly folder: string;
  readonly secrets: SecretSet;
  readonly onEvent: (detail: string) => void;
}

export class ServiceKeeper {
  readonly #place: ServiceOwner;
  readonly #writing = new Mutex();
  #record: ServiceRecord;

  constructor(place: ServiceOwner, record: ServiceRecord) {
    this.#place = place;
    this.#record = record;
  }

  get record(): ServiceRecord {
    return this.#record;
  }

  /** Variables of its processes. Throws `secret_unknown` or `secret_lost`. */
  environment(): Record<string, string> {
    return { ...this.#record.env, ...this.#place.secrets.environment(this.#record.secret_env) };
  }

  /** A text from the guest, or of an error, as it may be kept and shown. */
  clean(text: unknown): string {
    return this.#place.secrets.maskText(typeof text === 'string' ? text : messageOf(text));
  }

  note(detail: string): void {
    this.#place.onEvent(this.clean(detail));
  }

  async update(changes: Partial<ServiceRecord>): Promise<void> {
    this.#record = { ...this.#record, ...changes };
    const path = join(this.#place.folder, 'service.json');
    // A full disk must not end a running process: the record in memory counts, and the next change writes it.
    await this.#writing.run(() => writeJson(path, this.#record).catch(() => undefined));
  }

  async end(state: 'exited' | 'stopped' | 'failed', reason: string | null, exitCode: number | null): Promise<void> {
    const ended = { ended_at: Date.now() / 1000, exit_code: exitCode, process: null, pid: null };
    await this.update({ ...ended, state, stop_reason: reason });
    this.note(`${state}${reason === null ? '' : ` (${reason})`}${exitCode === null ? '' : `, exit code ${exitCode}`}`);
  }

  /** It should have restarted and could not. */
  async stayAway(why: unknown): Promise<void> {
    await this.update({ stop_reason: this.clean(why) });
    this.note(`did not restart: ${messageOf(why)}`);
  }
}
