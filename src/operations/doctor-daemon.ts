// The line of doctor about the background process: none is fine, one that does not answer is not.

import type { DaemonControl } from '../contract/call.ts';
import type { DoctorCheck } from '../contract/machine.ts';
import { messageOf } from '../shared/errors.ts';
import { formatCount } from '../shared/units.ts';

const answerMs = 3000;

export async function checkDaemon(daemon: DaemonControl, signal: AbortSignal): Promise<DoctorCheck> {
  const common = {
    name: 'daemon',
    why: 'it owns the guests of workspaces, so each workspace command needs it',
  } as const;
  const limit = AbortSignal.timeout(answerMs);
  try {
    const status = await daemon.status(AbortSignal.any([signal, limit]));
    if (status === undefined) {
      return { ...common, status: 'ok', message: 'not running; the first command that needs it starts it', fix: null };
    }
    const { pid, version, guests, draining } = status;
    const message = `pid ${pid}, version ${version}, ${formatCount(guests.length, 'guest')}${draining ? ', ending' : ''}`;
    return { ...common, status: 'ok', message, fix: null };
  } catch (error) {
    signal.throwIfAborted();
    const message = limit.aborted ? `it does not answer within ${answerMs / 1000} s` : messageOf(error);
    return { ...common, status: 'fail', message, fix: 'pyro daemon stop --force; its guests keep running' };
  }
}
