// What a program said last, and what ended it: the part of its standard error that a message can carry.
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';

const mostKept = 64 * 1024;
const mostLines = 5;
const mostCharacters = 2000;

/** The end of what comes, which may be without end itself; settles when the stream has. */
export async function tailOf(stream: Readable | null): Promise<string> {
  if (stream === null) return '';
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

/** `git diff failed with exit code 1: its last lines`; never with an empty reason. */
export function describeEnding(program: string, { stderr, exitCode, signal }: Ending): string {
  const how = signal === undefined ? `failed with exit code ${exitCode}` : `was killed by signal ${signal}`;
  const lines = stderr.trimEnd().split('\n').slice(-mostLines).join('\n').slice(-mostCharacters).trim();
  return `${program} ${how}${lines === '' ? ' and printed nothing' : `: ${lines}`}`;
}
