// A signal to a process that must be there.

/** A signal to process 0 would go to the test's own group, and end all tests without a word. */
export function killNow(pid: number | null | undefined, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (pid === undefined || pid === null || pid < 2) throw new Error('there is no process to kill');
  process.kill(pid, signal);
}
