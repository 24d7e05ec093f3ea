// What becomes of a service whose process has ended: pure rules.

import type { ServiceRecord } from '../../contract/records.ts';
import { readinessOf } from './service-record.ts';

const firstDelayMs = 500;
const longestDelayMs = 30_000;
/** After so many restarts in a row without a long run, it is given up */
const mostAttempts = 20;
/** A run of this length clears the count, `s` */
const longRunSeconds = 60;

/** An end that someone asked for. */
export interface Stopping {
  readonly state: 'stopped' | 'failed';
  readonly reason: string;
}

export type Fate = { readonly readyAt?: number } & (
  | { readonly kind: 'over'; readonly state: 'exited' | 'stopped' | 'failed'; readonly reason: string | null }
  | { readonly kind: 'restart'; readonly delayMs: number; readonly attempts: number }
);

export function decideFate(
  record: ServiceRecord,
  stopping: Stopping | undefined,
  exitCode: number,
  nowSeconds: number,
): Fate {
  if (stopping?.state === 'stopped') return { kind: 'over', ...stopping };
  // One without probes is ready as soon as it has started, however soon it ended.
  const isInstant = record.ready_at === null && readinessOf(record).length === 0;
  const ready = isInstant ? { readyAt: record.started_at } : {};
  // What never came up at its first start would hardly do so at the next: its owner should look.
  if (record.ready_at === null && !isInstant && record.restart_count === 0) {
    return { kind: 'over', ...(stopping ?? { state: 'failed', reason: 'process_exited_before_ready' }) };
  }
  const isFailure = stopping !== undefined || exitCode !== 0;
  if (record.restart_policy === 'never' || (record.restart_policy === 'on-failure' && !isFailure)) {
    return { ...ready, kind: 'over', state: 'exited', reason: null };
  }
  const attempts = nowSeconds - record.started_at >= longRunSeconds ? 0 : record.attempts;
  if (attempts >= mostAttempts) return { ...ready, kind: 'over', state: 'failed', reason: 'restart_limit' };
  const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** attempts);
  return { ...ready, kind: 'restart', delayMs, attempts: attempts + 1 };
}
