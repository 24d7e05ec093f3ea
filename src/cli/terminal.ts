// The door to standard output and standard error: whatever is printed goes through here, and a terminal gets nothing raw.
import { Writable } from 'node:stream';
import { visibleLines } from '../shared/visible.ts';
import { writeTo } from '../shared/write-to.ts';
import { type FilterKind, TerminalFilter } from './terminal-filter.ts';

export type OutputName = 'stdout' | 'stderr';

const usualColumns = 80;
const usualRows = 24;

export function isTerminal(name: OutputName): boolean {
  return process[name].isTTY === true;
}

/** Columns of a terminal, asked each time: it changes its size; some do not know theirs and say 0. */
export function columnsOf(name: OutputName): number {
  return process[name].columns || usualColumns;
}

export function rowsOf(name: OutputName): number {
  return process[name].rows || usualRows;
}

/** Columns of the terminal that the result goes to, where it is one and knows them. */
export function resultWidth(): number | undefined {
  return process.stdout.isTTY && process.stdout.columns > 0 ? process.stdout.columns : undefined;
}

/**
 * Writes a result to standard output and comes back when the system has taken it, so that a slow reader slows down whoever
 * prints. Throws `output_closed` when the reader has gone, `output_failed` when there is no room, or the signal's reason.
 */
export async function writeText(text: string, signal?: AbortSignal): Promise<void> {
  await writeTo(process.stdout, isTerminal('stdout') ? visibleLines(text) : text, signal);
}

/** The same for bytes of a guest, which a terminal gets filtered and everything else as they are. */
export async function writeContent(content: string | Uint8Array, isRaw: boolean, signal?: AbortSignal): Promise<void> {
  if (isRaw || !isTerminal('stdout')) return await writeTo(process.stdout, content, signal);
  const filter = new TerminalFilter('lines');
  const shown = filter.push(typeof content === 'string' ? Buffer.from(content) : content);
  await writeTo(process.stdout, shown + filter.end(), signal);
}

/** Tells the person something beside the result. */
export function writeNote(text: string): void {
  process.stderr.write(isTerminal('stderr') ? visibleLines(text) : text);
}

/** The same where the terminal has shown the ^C at the place of the cursor. */
export function writeOverInterrupt(text: string): void {
  if (isTerminal('stderr') && text !== '') process.stderr.write('\r');
  writeNote(text);
}

/** What we ourselves have made for standard error, orders to the terminal included; nothing of a guest stands in it as it came. */
export function writeOwn(text: string): void {
  process.stderr.write(text);
}

/** For questions, and for a patch that was made visible. */
export function ownOutput(name: OutputName): Writable {
  return process[name];
}

/** Where what runs in a guest writes to, live. */
export interface LiveOutput {
  readonly stream: Writable;
  /** Leaves a terminal as it was found; called once, at the end */
  readonly end: () => void;
}

/** A pipe or a file takes all bytes as they are; a terminal what it may have, unless raw ones are wanted. */
export function liveOutput(name: OutputName, kind: FilterKind, isRaw: boolean): LiveOutput {
  const target = process[name];
  if (isRaw || !isTerminal(name)) return { stream: target, end: () => undefined };
  return filtered(target, kind);
}

/** The filter before a stream, at its pace. */
export function filtered(target: Writable, kind: FilterKind): LiveOutput {
  const filter = new TerminalFilter(kind);
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      target.write(filter.push(chunk), (error) => done(error));
    },
  });
  // Whoever writes is told; a stream without a listener would end the process.
  stream.on('error', () => undefined);
  target.once('error', (error) => stream.destroy(error));
  return {
    stream,
    end: () => {
      const rest = filter.end();
      if (rest !== '') target.write(rest);
    },
  };
}

/** Calls back when the terminal changes its size; gives what ends that. */
export function onResize(call: () => void): () => void {
  process.stdout.on('resize', call);
  return () => process.stdout.off('resize', call);
}
