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

/** A guest that QEMU has paused for want of room, or of what a quota leaves of it. */
export function fullTrouble(folder: string, isQuota = false): Trouble {
  const reason = isQuota ? 'disk full: quota used up' : 'disk full';
  const what = isQuota ? 'the disk quota on the host is used up' : 'the disk of the host is full';
  const step = isQuota ? 'raise the quota or make room' : 'make room';
  const last = isQuota
    ? `; should it stay paused: ${hintCall('workspace.stop')}, then ${hintCall('workspace.start')}`
    : '';
  return {
    state: 'paused',
    reason,
    error: new PyroError('disk_full', `${what}: no room below ${folder}, so the guest is paused`, {
      hint: `${step} there, for example with ${hintCall('env.prune')} or ${hintCall('workspace.prune')}; the guest goes on by itself, and what runs in it too${last}`,
      details: { reason },
    }),
  };
}

/** A guest whose disk may not grow: a limit of the size of files that its QEMU has from who started the daemon. */
export function limitTrouble(): Trouble {
  const reason = 'limit of file size';
  return {
    state: 'paused',
    reason,
    error: new PyroError(
      'file_size_limited',
      'the disk of the guest may not grow larger: its file has reached a limit of the size of files (ulimit -f), so the guest is paused',
      {
        hint: `raise it for its QEMU (sudo prlimit --fsize=unlimited --pid …), and it goes on by itself; or where the daemon is started, and start both anew: ${hintCall('daemon.stop')}, ${hintCall('workspace.stop')}, ${hintCall('workspace.start')}`,
        details: { reason },
      },
    ),
  };
}

/** A paused guest whose QEMU goes on failing on a disk that works again: it makes no second try of a flush that has failed. */
export function givenUpTrouble({ reason: before, error: { code } }: Trouble, folder: string): Trouble {
  const reason = `${before}; QEMU has given the disk up`;
  return {
    state: 'paused',
    reason,
    error: new PyroError(
      isFailure(code) ? code : 'disk_failed',
      `the guest stays paused: QEMU could not bring its writes to the disk below ${folder} (${before}), and does not try that again, though the disk works now`,
      {
        hint: `start it anew from its disk, with what was synced: ${hintCall('workspace.stop')}, then ${hintCall('workspace.start')}`,
        details: { reason, given_up: true },
      },
    ),
  };
}

function isFailure(code: string): code is 'disk_full' | 'disk_failed' {
  return code === 'disk_full' || code === 'disk_failed';
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
        hint: 'mend the disk; what failed is tried again each few seconds, and the guest goes on by itself or its state says what helps',
        details: { reason },
      },
    ),
  };
}
