// What every long call gets: how it is cancelled, and where its progress goes.
import type { OnProgress } from './progress.ts';

export interface CallContext {
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}
