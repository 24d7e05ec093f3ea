// What keeps a guest that runs from answering, as its state and as the error of a call.
import { PyroError } from '../shared/errors.ts';
import { hintCall } from '../shared/hint-words.ts';
import { isHeld } from '../system/process-pace.ts';

export interface Trouble {
  readonly state: 'paused' | 'unresponsive';
  /** A few words for people */
  readonly reason: string;
  readonly error: PyroError;
}

/** A guest that could have run and answered, and did not. */
export function deafTrouble(pid: number | undefined, silentMs: number): Trouble {
  const seconds = Math.max(1, Math.round(silentMs / 1000));
  const isStopped = pid !== undefined && isHeld(pid);
  const reason = isStopped
    ? `its process on this machine, ${pid}, is stopped by a signal`
    : `no answer for ${seconds} s`;
  const hint = isStopped ? `let it go on with: kill -CONT ${pid}` : undefined;
  return {
    state: 'unresponsive',
    reason,
    error: new PyroError('guest_unresponsive', `the guest does not answer: ${reason}`, {
      hint,
      details: { reason, held: isStopped },
    }),
  };
}

/** A guest that QEMU has paused for want of room. */
export function fullTrouble(folder: string): Trouble {
  return {
    state: 'paused',
    reason: 'disk full',
    error: new PyroError('disk_full', `the disk of the host is full: no room below ${folder}, so the guest is paused`, {
      hint: `make room there, for example with ${hintCall('env.prune')} or ${hintCall('workspace.prune')}; the guest goes on by itself, and what runs in it too`,
      details: { reason: 'disk full' },
    }),
  };
}

/** A guest that QEMU has paused since the disk of the host fails in another way. */
export function diskTrouble(folder: string, told: string): Trouble {
  const why = told === '' ? 'an error without a reason' : told;
  const reason = `disk error: ${why}`;
  return {
    state: 'paused',
    reason,
    error: new PyroError(
      'disk_failed',
      `the disk of the host fails: ${why} below ${folder}, so the guest is paused before it loses a write`,
      {
        hint: 'mend the disk; what failed is tried again each few seconds, and the guest goes on by itself',
        details: { reason },
      },
    ),
  };
}
