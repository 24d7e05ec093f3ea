// Signals to this process: the command in the guest gets the first one, a second one or a delay ends everything or leaves it running.
import { PyroError } from '../shared/errors.ts';
import { noLongerWaiting } from '../shared/leaving.ts';

const graceMs = 2000;
const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Interrupts {
  readonly signal: AbortSignal;
  /** True once a signal has come */
  readonly wasInterrupted: () => boolean;
  /** The command that follows what was left running; undefined when nothing was */
  readonly leftRunning: () => string | undefined;
  /**
   * Sends signals to a command from now on; gives back what ends that. With `followedBy` the command outlives whoever
   * leaves it, so that Ctrl-C gives it all the time that it takes to end.
   */
  readonly forwardTo: (send: (name: string) => void, followedBy?: string) => () => void;
}

interface Target {
  readonly send: (name: string) => void;
  readonly followedBy: string | undefined;
}

export function installInterrupts(): Interrupts {
  const controller = new AbortController();
  let count = 0;
  let target: Target | undefined;
  let left: string | undefined;
  const cancel = (): void => {
    const followedBy = target?.followedBy;
    if (followedBy === undefined) controller.abort(new PyroError('cancelled', 'interrupted'));
    else {
      left = followedBy;
      controller.abort(noLongerWaiting('detached'));
    }
  };
  for (const name of names) {
    process.on(name, () => {
      count++;
      if (target === undefined || count > 1) {
        cancel();
        return;
      }
      target.send(name.slice(3));
      // Whoever sends another signal than that of a key is not there to send a second one.
      if (target.followedBy === undefined || name !== 'SIGINT') setTimeout(cancel, graceMs).unref();
    });
  }
  return {
    signal: controller.signal,
    wasInterrupted: () => count > 0,
    leftRunning: () => left,
    forwardTo: (send, followedBy) => {
      const mine = { send, followedBy };
      target = mine;
      return () => {
        if (target === mine) target = undefined;
      };
    },
  };
}
