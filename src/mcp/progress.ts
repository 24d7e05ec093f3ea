// Progress of a call, sent each second while it runs: a value that only grows, and what is being done.
import type { OnProgress } from '../shared/progress.ts';

export interface ProgressTicker extends Disposable {
  readonly onProgress: OnProgress;
}

const tickMs = 1000;

/** `notify` sends one message; nothing is sent for calls that end within a second, nor after the end. */
export function startProgress(
  notify: ((progress: number, message: string) => Promise<void>) | undefined,
): ProgressTicker {
  if (notify === undefined) return { onProgress: () => undefined, [Symbol.dispose]: () => undefined };
  const startedAt = performance.now();
  let phase = 'running';
  let text = '';
  let count = 0;
  const timer = setInterval(() => {
    count++;
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    // A host that has gone ends the server by itself; its missing ear is no fault of the call.
    notify(count, `${phase}${text === '' ? '' : `: ${text}`} (${seconds} s)`).catch(() => undefined);
  }, tickMs);
  return {
    onProgress: (progress) => {
      phase = progress.phase;
      const { message, doneBytes, totalBytes } = progress;
      const isCounted = doneBytes !== undefined && totalBytes !== undefined && totalBytes > 0;
      text = isCounted ? `${message}, ${Math.floor((100 * doneBytes) / totalBytes)} %` : message;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
