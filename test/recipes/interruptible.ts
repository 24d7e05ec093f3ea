// Ctrl-C and the like as a signal, so that a run can delete what it has made before it ends.
export function interruptible(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => stop.abort(new Error('interrupted')));
  }
  return stop.signal;
}
