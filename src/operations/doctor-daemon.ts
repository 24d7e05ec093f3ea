// The line of doctor about the background process: none is fine, one that does not answer is not.
import type { DaemonControl } from '../shared/daemon-types.ts';
import { messageOf } from '../shared/errors.ts';

/** As the engine's checks are */
interface DaemonCheck {
  readonly name: 'daemon';
  readonly status: 'ok' | 'fail';
  readonly message: string;
  readonly why: string;
  readonly fix: string | null;
}

const answerMs = 3000;

export async function checkDaemon(daemon: DaemonControl, signal: AbortSignal): Promise<DaemonCheck> {
  const common = {
    name: 'daemon',
    why: 'it owns the guests of workspaces, so each workspace command needs it',
  } as const;
  const limit = AbortSignal.timeout(answerMs);
  try {
    const status = await daemon.status(AbortSignal.any([signal, limit]));
    if (status === undefined) {
      return { ...common, status: 'ok', message: 'none runs; the first command that needs one starts it', fix: null };
    }
    const { pid, version, guests, draining } = status;
    const message = `pid ${pid}, version ${version}, ${guests.length} guests${draining ? ', ending' : ''}`;
    return { ...common, status: 'ok', message, fix: null };
  } catch (error) {
    signal.throwIfAborted();
    const message = limit.aborted ? `it does not answer within ${answerMs / 1000} s` : messageOf(error);
    return { ...common, status: 'fail', message, fix: 'pyro daemon stop --force; its guests run on' };
  }
}
