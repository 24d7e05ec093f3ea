// Waiting for what a test expects, in place of a time in which it might have happened.
import { connect } from 'node:net';

/** Less than the time limit of a test, so that what was waited for is told, `ms` */
const longestWaitMs = 90_000;
const stepMs = 30;

/** Waits until something holds. Throws when it never does. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + longestWaitMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`after ${longestWaitMs / 1000} s this does not hold: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, stepMs));
  }
}

/** Waits until somebody listens on a Unix socket, whose file is there a moment before that. */
export async function untilListening(path: string): Promise<void> {
  await until(
    () =>
      new Promise((resolve) => {
        const socket = connect(path);
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
        socket.once('connect', () => socket.destroy());
      }),
  );
}
