// Asking the daemon for its status and for its end.
import type { DaemonControl } from '../contract/call.ts';
import type { DaemonStatus, DaemonStopInput } from '../contract/machine.ts';
import { statusSchema } from '../contract/machine.ts';
import { isPyroError, PyroError } from '../shared/errors.ts';
import { findHolder } from '../system/lock.ts';
import { killProcess } from '../system/processes.ts';
import { notTaken, readText, sendRequest } from './http.ts';
import { type DaemonPlaces, locateDaemon } from './places.ts';
import type { DaemonProgram } from './program.ts';
import { statusPath, stopPath } from './protocol.ts';

/** Longer than a daemon waits for calls that run, together with letting go of its guests */
const endMs = 60_000;
/** A user who forces an end does not wait for a daemon that hangs */
const forcedHeadMs = 3000;

export function createControl(program: DaemonProgram): DaemonControl {
  return {
    status: async (signal) => await askStatus(await locateDaemon(program.paths), signal),
    stop: async (input, signal) => {
      const places = await locateDaemon(program.paths);
      try {
        return await stopDaemon(places, input, signal);
      } catch (error) {
        if (!input.force || !isPyroError(error, 'daemon_unresponsive')) throw error;
        return await killDaemon(places);
      }
    },
  };
}

async function askStatus({ socket }: DaemonPlaces, signal: AbortSignal): Promise<DaemonStatus | undefined> {
  const answer = await sendRequest({ socket, method: 'GET', path: statusPath, signal });
  if (answer === notTaken) return undefined;
  return statusSchema.parse(JSON.parse(await readText(answer)));
}

/** Ends a daemon that does not answer. The next one takes its guests over. */
async function killDaemon({ lifetimeLock }: DaemonPlaces): Promise<boolean> {
  const holder = await findHolder(lifetimeLock);
  if (holder === undefined) return false;
  await killProcess(holder);
  return true;
}

/** Asks a daemon to end, and waits until it has. False when none listened. */
export async function stopDaemon(
  { socket }: DaemonPlaces,
  { force }: DaemonStopInput,
  signal: AbortSignal,
): Promise<boolean> {
  const body = JSON.stringify({ drain: !force });
  const answer = await sendRequest({
    socket,
    method: 'POST',
    path: stopPath,
    body,
    signal,
    ...(force ? { headMs: forcedHeadMs } : {}),
  });
  if (answer === notTaken) return false;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      finish();
      reject(new PyroError('daemon_unresponsive', `the daemon has not ended within ${endMs / 1000} s`));
    }, endMs);
    const onAbort = (): void => {
      finish();
      reject(signal.reason);
    };
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      answer.destroy();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    answer.on('error', () => undefined);
    answer.once('close', () => {
      finish();
      resolve();
    });
    answer.resume();
  });
  return true;
}
