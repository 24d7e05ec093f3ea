// Waiting for what a test expects, in place of a time in which it might have happened.

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
