// Signals to processes: one that must be there, and whether one is.

/** A signal to process 0 would go to the test's own group, and end all tests without a word. */
export function killNow(pid: number | null | undefined, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (pid === undefined || pid === null || pid < 2) throw new Error('there is no process to kill');
  process.kill(pid, signal);
}

/** False for a process that has ended, or was never started. */
export function isAlive(pid: number | null | undefined): boolean {
  if (pid === undefined || pid === null || pid < 2) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
