// What crossed the boundary of a workspace, in a file that is only ever added to, and in which each line stands for all before it.
import { createHash } from 'node:crypto';
import { appendFile, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type AuditEntry, auditEntrySchema } from '../../contract/audit.ts';
import { isHostFault, systemCodeOf } from '../../shared/errors.ts';
import { visible } from '../../shared/visible.ts';
import { makeFolder } from '../../system/folders.ts';

export type AuditNote = Pick<AuditEntry, 'kind' | 'direction' | 'what'> & Partial<Pick<AuditEntry, 'files' | 'bytes'>>;

export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  /** Number of the first line that does not follow from those before it */
  readonly brokenAt: number | null;
  /** True when the last line has no end */
  readonly isCut: boolean;
}

/** Where the audit logs of all workspaces of a state folder are. */
export function auditFolder(state: string): string {
  return join(state, 'audit');
}

const longestWhat = 1000;
/** A guest makes as many connections as it likes: so many have lines of their own, the rest is counted */
const mostConnections = 5000;
const countedTogether = 1000;
/** Time for which the file of a workspace that was deleted is kept, `ms` */
const keptMs = 90 * 24 * 3600 * 1000;

export class AuditLog {
  readonly path: string;
  /** The last line, once it has been looked for: most workspaces of a daemon that starts get no further one */
  #last: Promise<{ readonly sequence: number; readonly chain: string }> | undefined;
  readonly #mask: (text: string) => string;
  #connections = 0;
  #isCut = false;

  /** `mask` takes out what nothing may show. */
  constructor(path: string, mask: (text: string) => string) {
    this.path = path;
    this.#mask = mask;
  }

  /** Lines follow one another. A disk that takes nothing costs the line: what it tells of has happened. */
  async note(note: AuditNote): Promise<void> {
    const writing = this.#tail().then(async (last) => {
      const { kind, direction, what, files = null, bytes = null } = note;
      const shown = visible(this.#mask(what)).slice(0, longestWhat);
      const fields = { sequence: last.sequence + 1, at: Date.now() / 1000, kind, direction, what: shown, files, bytes };
      const entry = { ...fields, chain: chainOf(last.chain, fields) };
      try {
        // A line that a crash cut short must not take the next one with it.
        await append(this.path, `${this.#isCut ? '\n' : ''}${JSON.stringify(entry)}\n`);
        this.#isCut = false;
        return entry;
      } catch (error) {
        if (!isHostFault(error)) throw error;
        return last;
      }
    });
    this.#last = writing;
    await writing;
  }

  /** A connection that has ended, or that was refused. */
  async noteConnection(what: string, direction: 'out' | 'way', bytes: number): Promise<void> {
    await this.#tail();
    this.#connections++;
    if (this.#connections <= mostConnections) return await this.note({ kind: 'network', direction, what, bytes });
    if (this.#connections % countedTogether !== 0) return;
    const more = this.#connections - mostConnections;
    await this.note({ kind: 'counted', direction: 'way', what: `${more} more connections, which have no lines here` });
  }

  async #tail(): Promise<{ readonly sequence: number; readonly chain: string }> {
    this.#last ??= readAudit(this.path).then(({ entries, isCut }) => {
      this.#isCut = isCut;
      this.#connections = entries.filter(({ kind }) => kind === 'network').length;
      const last = entries.at(-1);
      return { sequence: last?.sequence ?? 0, chain: last?.chain ?? '' };
    });
    return await this.#last;
  }
}

async function append(path: string, line: string): Promise<void> {
  try {
    await appendFile(path, line, { mode: 0o600, flag: 'a' });
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    await makeFolder(dirname(path));
    await appendFile(path, line, { mode: 0o600, flag: 'a' });
  }
}

function chainOf(
  before: string,
  { sequence, at, kind, direction, what, files, bytes }: Omit<AuditEntry, 'chain'>,
): string {
  const text = JSON.stringify([before, sequence, at, kind, direction, what, files, bytes]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** All lines that parse, and the number of the first that was changed, or before which one is missing. */
export async function readAudit(path: string): Promise<AuditPage> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return '';
    throw error;
  });
  const entries: AuditEntry[] = [];
  let brokenAt: number | null = null;
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    const entry = parse(line);
    // One that a crash cut short: what comes next follows from the line before.
    if (entry === undefined) continue;
    const before = entries.at(-1);
    const follows =
      entry.sequence === (before?.sequence ?? 0) + 1 && entry.chain === chainOf(before?.chain ?? '', entry);
    if (!follows) brokenAt ??= index + 1;
    entries.push(entry);
  }
  return { entries, brokenAt, isCut: text !== '' && !text.endsWith('\n') };
}

function parse(line: string): AuditEntry | undefined {
  try {
    return auditEntrySchema.parse(JSON.parse(line));
  } catch {
    // Told by its number.
    return undefined;
  }
}

/** Removes files of workspaces that are gone for long. */
export async function sweepAudits(folder: string, isThere: (id: string) => boolean): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.endsWith('.jsonl') || isThere(name.slice(0, -'.jsonl'.length))) continue;
    const path = join(folder, name);
    const status = await stat(path).catch(() => undefined);
    if (status !== undefined && Date.now() - status.mtimeMs > keptMs) await rm(path, { force: true });
  }
}
