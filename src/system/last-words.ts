// What a program said last, and what ended it: the part of its standard error that a message can carry.
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { visibleLines } from '../shared/visible.ts';

const mostKept = 64 * 1024;
const mostCharacters = 2000;

/** The end of what comes, which may be without end itself; settles when the stream has. */
export async function tailOf(stream: Readable): Promise<string> {
  let parts: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    parts.push(chunk);
    size += chunk.length;
    if (size < 2 * mostKept) return;
    parts = [Buffer.concat(parts).subarray(-mostKept)];
    size = mostKept;
  });
  // A stream that breaks has said what it has said.
  await finished(stream, { writable: false }).catch(() => undefined);
  return Buffer.concat(parts).subarray(-mostKept).toString('utf8');
}

export interface Ending {
  readonly stderr: string;
  readonly exitCode: number;
  /** Name of the signal that ended it */
  readonly signal: string | undefined;
}

export interface Words {
  /** Most lines; 5 unless given */
  readonly lines?: number;
  /** True for a program that says first what matters, and last that it failed */
  readonly isFirst?: boolean;
  /** Stands between the lines; a line end unless given */
  readonly between?: string;
}

/** What of it a message carries: some whole lines, of which none gives orders to a terminal. */
export function lastWords(said: string, { lines = 5, isFirst = false, between = '\n' }: Words = {}): string {
  const all = said.trim().split('\n');
  const shown = visibleLines((isFirst ? all.slice(0, lines) : all.slice(-lines)).join(between));
  return (isFirst ? shown.slice(0, mostCharacters) : shown.slice(-mostCharacters)).trim();
}

/** `git diff failed with exit code 1: its last lines`; never with an empty reason. */
export function describeEnding(program: string, { stderr, exitCode, signal }: Ending): string {
  const how = signal === undefined ? `failed with exit code ${exitCode}` : `was killed by signal ${signal}`;
  const said = lastWords(stderr);
  return `${program} ${how}${said === '' ? ' and printed nothing' : `: ${said}`}`;
}
