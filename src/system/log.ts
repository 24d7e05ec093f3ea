// A log file of JSON lines that never grows beyond two files of a stated size.
import { appendFileSync, existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { assertRegular } from './files.ts';

export interface Log {
  readonly path: string;
  readonly info: (event: string, fields?: Readonly<Record<string, unknown>>) => void;
  /** With the stack, which no user is shown */
  readonly fault: (event: string, error: unknown, fields?: Readonly<Record<string, unknown>>) => void;
}

const largestFile = 1024 * 1024;
const longestLine = 16 * 1024;

/** Opens nothing before the first line; a line that cannot be written is lost, since a log must not end what it tells about. */
export function openLog(path: string): Log {
  const write = (level: string, event: string, fields: Readonly<Record<string, unknown>>): void => {
    try {
      rotateLog(path);
      const line = JSON.stringify({ time: new Date().toISOString(), level, event, pid: process.pid, ...fields });
      appendFileSync(path, `${line.slice(0, longestLine)}\n`, { mode: 0o600 });
    } catch {
      // Said above.
    }
  };
  return {
    path,
    info: (event, fields = {}) => write('info', event, fields),
    fault: (event, error, fields = {}) => write('error', event, { ...fields, ...describe(error) }),
  };
}

/** Moves a file that is full aside and makes its folder; called before each opening. */
export function rotateLog(path: string): void {
  const status = statSync(path, { throwIfNoEntry: false });
  // A pipe that nobody reads would be waited for without end.
  if (status !== undefined) assertRegular(path, status);
  const size = status?.size;
  if (size === undefined) {
    // Not recursive: Node's recursive form never ends on some file systems, see folders.ts.
    for (const folder of [dirname(dirname(path)), dirname(path)]) {
      if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
    }
  } else if (size > largestFile) renameSync(path, `${path}.1`);
}

function describe(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: String(error) };
  const cause = error.cause === undefined ? {} : { cause: String(error.cause) };
  return { error: error.message, stack: error.stack, ...cause };
}
