// Signals to this process: the command in the guest gets the first one, a second one or a delay ends everything.
import { PyroError } from '../shared/errors.ts';

const graceMs = 2000;
const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Interrupts {
  readonly signal: AbortSignal;
  /** True once a signal has come */
  readonly wasInterrupted: () => boolean;
  /** Sends signals to a command from now on; gives back what ends that */
  readonly forwardTo: (send: (name: string) => void) => () => void;
}

export function installInterrupts(): Interrupts {
  const controller = new AbortController();
  let count = 0;
  let forward: ((name: string) => void) | undefined;
  const cancel = (): void => controller.abort(new PyroError('cancelled', 'interrupted'));
  for (const name of names) {
    process.on(name, () => {
      count++;
      if (forward === undefined || count > 1) {
        cancel();
        return;
      }
      forward(name.slice(3));
      setTimeout(cancel, graceMs).unref();
    });
  }
  return {
    signal: controller.signal,
    wasInterrupted: () => count > 0,
    forwardTo: (send) => {
      forward = send;
      return () => {
        forward = undefined;
      };
    },
  };
}
