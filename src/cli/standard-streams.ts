// Standard input, output and error: everything that is written arrives, or the process says that it did not; what cannot be read is no empty input.
import { createReadStream, fstatSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { type PyroError, reportError, systemCodeOf } from '../shared/errors.ts';
import { commandCall } from '../shared/hint-words.ts';
import { outputError } from '../shared/write-to.ts';

/** A device that takes nothing now is asked again after so long, `ms` */
const busyMs = 10;
const exitFailed = 1;

export interface StandardStreams {
  /** Prints a text of our own, before anything else is loaded */
  readonly print: (text: string) => void;
  /** Waits until all is written or a signal comes; the exit code is 1 when something could not be written */
  readonly finish: (exitCode: number) => Promise<number>;
}

/**
 * Called once, before anything is printed. Node's own streams for files lose the rest of what a nearly full disk takes
 * in part, and say nothing; for a folder or a disk as input there is an empty stream. They are replaced.
 */
export function openStandardStreams(): StandardStreams {
  if (isUnknownInput())
    Object.defineProperty(process, 'stdin', {
      value: createReadStream('', { fd: 0, autoClose: false }),
      configurable: true,
    });
  const failures: PyroError[] = [];
  for (const [name, fd] of [
    ['stdout', 1],
    ['stderr', 2],
  ] as const) {
    if (isFileLike(fd)) Object.defineProperty(process, name, { value: fileOutput(fd), configurable: true });
    process[name].on('error', (error) => {
      if (fd === 1) failures.push(outputError(error));
    });
  }
  return {
    print: (text) => void process.stdout.write(text),
    finish: async (exitCode) => {
      const signalled = Promise.withResolvers<void>();
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(name, () => signalled.resolve());
      await Promise.race([Promise.all([drained(process.stdout), drained(process.stderr)]), signalled.promise]);
      // A stream tells of its failure after whoever wrote has been told.
      await setImmediate();
      const failure = failures.find(({ code }) => code === 'output_failed');
      if (failure === undefined) return exitCode;
      process.stderr.write(`error: ${failure.message}\nhint: ${reportError(failure, commandCall).hint}\n`);
      await Promise.race([drained(process.stderr), signalled.promise]);
      return exitFailed;
    },
  };
}

function isUnknownInput(): boolean {
  try {
    const status = fstatSync(0);
    return status.isDirectory() || status.isBlockDevice();
  } catch {
    // Whatever it is, Node knows better.
    return false;
  }
}

/** Pipes, sockets and terminals are written to as they come; all others have Node's stream that writes once. */
function isFileLike(fd: number): boolean {
  try {
    const status = fstatSync(fd);
    return !status.isFIFO() && !status.isSocket() && !isatty(fd);
  } catch {
    // Whatever it is, Node knows better.
    return false;
  }
}

/** Written at once, so that what goes to the same file by both streams keeps its order. */
function fileOutput(fd: number): Writable {
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      writeAll(fd, chunk).then(() => done(), done);
    },
  });
}

async function writeAll(fd: number, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if (systemCodeOf(error) !== 'EAGAIN') throw error;
      await sleep(busyMs);
    }
  }
}

async function drained(stream: Writable): Promise<void> {
  if (stream.writableLength === 0 || stream.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.write('', () => resolve());
  await promise;
}
