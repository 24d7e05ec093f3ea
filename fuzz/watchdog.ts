// Ends a run that hangs: a thread of its own watches, since a parser in an endless loop lets nothing else run.
import { mkdirSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { z } from 'zod';

/** By the clock, on which a busy machine is slow, `ms` */
const longestMs = 60_000;
const longestInput = 64 * 1024;
const dataSchema = z.object({ shared: z.instanceof(SharedArrayBuffer), file: z.string(), again: z.string() });

export interface Watchdog extends AsyncDisposable {
  /** Says which input is tried now */
  readonly note: (input: Buffer) => void;
}

/** Watches a target: when one input takes too long, it is saved to `file` and this process ended. */
export function startWatchdog(file: string, again: string): Watchdog {
  const shared = new SharedArrayBuffer(8 + longestInput);
  const head = new Int32Array(shared, 0, 2);
  const place = new Uint8Array(shared, 8);
  const worker = new Worker(new URL(import.meta.url), { workerData: { shared, file, again } });
  worker.unref();
  return {
    note: (input) => {
      place.set(input.subarray(0, longestInput));
      Atomics.store(head, 1, Math.min(input.length, longestInput));
      Atomics.add(head, 0, 1);
    },
    [Symbol.asyncDispose]: async () => void (await worker.terminate()),
  };
}

function watch(): void {
  const { shared, file, again } = dataSchema.parse(workerData);
  const head = new Int32Array(shared, 0, 2);
  let seen = -1;
  let since = Date.now();
  setInterval(() => {
    const count = Atomics.load(head, 0);
    if (count !== seen) {
      seen = count;
      since = Date.now();
    } else if (count > 0 && Date.now() - since > longestMs) {
      mkdirSync(join('fuzz', 'repro'), { recursive: true });
      writeFileSync(file, new Uint8Array(shared, 8, Atomics.load(head, 1)));
      writeSync(2, `an input takes more than ${longestMs / 1000} s\ntry it again with: ${again}\n`);
      process.kill(process.pid, 'SIGKILL');
    }
  }, 500);
}

if (!isMainThread) watch();
