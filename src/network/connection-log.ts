// The log of what a workspace has tried to reach: one JSON line for each attempt and one for its end, in bounded files.
import { appendFile, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { systemCodeOf } from '../shared/errors.ts';
import { readOwnFile } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';

const attemptSchema = z.object({
  sequence: z.number().int().positive(),
  /** Time of the attempt, ISO 8601 */
  time: z.string(),
  /** As the guest asked for it: a name or an address */
  name: z.string(),
  port: z.number().int().nullable(),
  /** What was dialled; null when nothing was */
  address: z.string().nullable(),
  verdict: z.enum(['allowed', 'denied', 'failed']),
  rule: z.string(),
  /** Why it was denied or failed */
  reason: z.string().nullable(),
  /** The agent's id of the process that asked, as far as the guest could tell: a hint, never proof */
  process: z.string().nullable(),
});
const endSchema = z.object({ end: z.number().int().positive(), bytes_in: z.number(), bytes_out: z.number() });
const lineSchema = z.union([endSchema, attemptSchema]);

/** One attempt; the bytes are null while it is open. `in` is towards the guest. */
export type Attempt = z.infer<typeof attemptSchema> & {
  readonly bytes_in: number | null;
  readonly bytes_out: number | null;
};
export type AttemptStart = Omit<z.infer<typeof attemptSchema>, 'sequence' | 'time'>;

export interface AttemptPage {
  readonly attempts: readonly Attempt[];
  /** Give it as `after` for the rest; null when there is none now */
  readonly nextCursor: number | null;
}

const defaultLimit = 2 * 1024 * 1024;
/** Longest text of a guest that is kept of a name, `characters` */
const longestText = 300;
/** Attempts in memory, for the results of commands */
const mostRecent = 500;

export class ConnectionLog {
  readonly #path: string;
  readonly #limitBytes: number;
  #lastSequence: number;
  #size: number;
  #recent: Attempt[] = [];
  /** Writes follow one another, and failures of the disk do not fail connections */
  #writing: Promise<void> = Promise.resolve();
  #waiting: string[] = [];
  readonly #onOver: (attempt: Attempt) => void;

  private constructor(
    path: string,
    limitBytes: number,
    lastSequence: number,
    size: number,
    onOver: (attempt: Attempt) => void,
  ) {
    this.#onOver = onOver;
    this.#path = path;
    this.#limitBytes = limitBytes;
    this.#lastSequence = lastSequence;
    this.#size = size;
  }

  /** Opens a log; together with the file that it was before it takes at most twice the limit. `onOver` hears of each attempt that is over. */
  static async open(
    path: string,
    limitBytes = defaultLimit,
    onOver: (attempt: Attempt) => void = () => undefined,
  ): Promise<ConnectionLog> {
    await makeFolder(dirname(path));
    const size = await stat(path).then(
      ({ size }) => size,
      () => 0,
    );
    const known = [...(await readLines(`${path}.1`)), ...(await readLines(path))];
    const last = known.reduce((highest, line) => Math.max(highest, 'end' in line ? line.end : line.sequence), 0);
    return new ConnectionLog(path, limitBytes, last, size, onOver);
  }

  /** Number of the latest attempt; what comes later has a higher one. */
  get lastSequence(): number {
    return this.#lastSequence;
  }

  /** Notes an attempt and gives what is called once it has ended. */
  begin(start: AttemptStart): (bytes: { readonly in: number; readonly out: number }) => void {
    this.#lastSequence += 1;
    const sequence = this.#lastSequence;
    const isOpen = start.verdict === 'allowed';
    const attempt = { ...bounded(start), sequence, time: new Date().toISOString() };
    const kept = { ...attempt, bytes_in: isOpen ? null : 0, bytes_out: isOpen ? null : 0 };
    this.#recent.push(kept);
    if (this.#recent.length > mostRecent) this.#recent = this.#recent.slice(-mostRecent / 2);
    this.#write(attempt);
    if (!isOpen) this.#onOver(kept);
    return (bytes) => {
      kept.bytes_in = bytes.in;
      kept.bytes_out = bytes.out;
      this.#onOver(kept);
      this.#write({ end: sequence, bytes_in: bytes.in, bytes_out: bytes.out });
    };
  }

  /** Attempts after a number that did not go through, from memory: at most the latest 500 are looked at. */
  refusedSince(sequence: number, processId?: string): readonly Attempt[] {
    return this.#recent.filter(
      (attempt) =>
        attempt.sequence > sequence &&
        attempt.verdict !== 'allowed' &&
        (processId === undefined || attempt.process === processId),
    );
  }

  /** Waits until all that was noted is in the file. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  #write(line: object): void {
    // What waits is bounded by the number of connections: a slow disk loses the oldest lines.
    this.#waiting.push(`${JSON.stringify(line)}\n`);
    if (this.#waiting.length > 10_000) this.#waiting.shift();
    if (this.#waiting.length === 1) this.#writing = this.#writing.then(() => this.#drain()).catch(() => undefined);
  }

  async #drain(): Promise<void> {
    const text = this.#waiting.splice(0).join('');
    if (this.#size > 0 && this.#size + text.length > this.#limitBytes) {
      await rename(this.#path, `${this.#path}.1`);
      this.#size = 0;
    }
    await appendFile(this.#path, text, { mode: 0o600 });
    this.#size += Buffer.byteLength(text);
  }
}

/** Attempts of a log file, oldest first, each with its end when that is known. */
export async function readConnectionLog(
  path: string,
  options: { readonly after?: number; readonly limit: number; readonly isRefusedOnly?: boolean },
): Promise<AttemptPage> {
  const ends = new Map<number, { bytes_in: number; bytes_out: number }>();
  const attempts: z.infer<typeof attemptSchema>[] = [];
  for (const line of [...(await readLines(`${path}.1`)), ...(await readLines(path))]) {
    if ('end' in line) ends.set(line.end, line);
    else if (line.sequence > (options.after ?? 0)) attempts.push(line);
  }
  const wanted = attempts.filter(({ verdict }) => options.isRefusedOnly !== true || verdict !== 'allowed');
  const page = wanted.slice(0, options.limit).map((attempt) => {
    const end = attempt.verdict === 'allowed' ? ends.get(attempt.sequence) : { bytes_in: 0, bytes_out: 0 };
    return { ...attempt, bytes_in: end?.bytes_in ?? null, bytes_out: end?.bytes_out ?? null };
  });
  return { attempts: page, nextCursor: wanted.length > page.length ? (page.at(-1)?.sequence ?? null) : null };
}

async function readLines(path: string): Promise<z.infer<typeof lineSchema>[]> {
  let text: string;
  try {
    text = await readOwnFile(path);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
  const lines: z.infer<typeof lineSchema>[] = [];
  for (const line of text.split('\n')) {
    // A line that a crash cut short is left out.
    const parsed = lineSchema.safeParse(tryJson(line));
    if (parsed.success) lines.push(parsed.data);
  }
  return lines;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What comes from a guest is cut, and has no character that a terminal would obey. */
function bounded(start: AttemptStart): AttemptStart {
  const clean = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, longestText);
  return {
    ...start,
    name: clean(start.name),
    reason: start.reason === null ? null : clean(start.reason),
    process: start.process === null ? null : clean(start.process).slice(0, 64),
  };
}
