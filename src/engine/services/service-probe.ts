// Whether a service is ready: each of its probes is asked inside the guest, and all must hold in the same round.
import type { GuestClient } from '../../agent/guest-client.ts';
import type { ServiceRecord } from '../../contract/records.ts';
import type { ReadinessView } from '../../contract/services.ts';
import { isPyroError, messageOf } from '../../shared/errors.ts';
import { waitForAny } from '../../shared/waiting.ts';
import { startLine } from '../commands/shell-line.ts';
import { readinessOf } from './service-record.ts';

const commandMs = 10_000;
/** Time between the first two probes, doubled each time up to the interval, `ms` */
const firstPauseMs = 50;

/** False when its time is over before all probes hold. Throws `guest_unreachable`, and what the signal carries. */
export async function waitUntilReady(
  client: GuestClient,
  record: ServiceRecord,
  onUnready: (detail: string) => void,
  signal: AbortSignal,
): Promise<boolean> {
  // What a daemon before this one has waited counts; a clock that was set meanwhile makes it neither more nor less than all.
  const waitedMs = Math.max(0, Date.now() - record.started_at * 1000);
  const deadline = performance.now() + Math.max(0, record.ready_timeout_ms - waitedMs);
  for (let pauseMs = firstPauseMs; ; pauseMs *= 2) {
    const unready = await findUnready(client, record, signal);
    signal.throwIfAborted();
    if (unready === undefined) return true;
    onUnready(unready);
    const left = deadline - performance.now();
    if (left <= 0) return false;
    await waitForAny([], Math.min(pauseMs, record.ready_interval_ms, left), signal);
  }
}

/** What does not hold yet, as text; undefined when everything does. */
async function findUnready(
  client: GuestClient,
  record: ServiceRecord,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const probe of readinessOf(record)) {
    const detail = await look(client, record, probe, signal);
    if (detail !== undefined) return `${probe.type} ${probe.target}: ${detail}`;
  }
  return undefined;
}

async function look(
  client: GuestClient,
  record: ServiceRecord,
  { type, target }: ReadinessView,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    if (type === 'command') return await runProbe(client, record, target, signal);
    const request = type === 'file' ? { file: target } : type === 'tcp' ? { tcp: target } : { http: target };
    const { ready, detail } = await client.probe(request, { signal });
    return ready ? undefined : detail;
  } catch (error) {
    signal.throwIfAborted();
    if (isPyroError(error, 'guest_unreachable') || !isPyroError(error)) throw error;
    return messageOf(error);
  }
}

async function runProbe(
  client: GuestClient,
  record: ServiceRecord,
  command: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const wanted = { env: record.env, cwd: record.cwd, stdin: false, timeout_ms: commandMs, overflow: 'drop' as const };
  const { process } = await startLine(client, command, wanted, signal);
  try {
    const exit = await process.follow(() => undefined);
    if (exit.timed_out) return `did not end within ${commandMs} ms`;
    return exit.exit_code === 0 ? undefined : `exit code ${exit.exit_code}`;
  } finally {
    await process.forget().catch(() => undefined);
  }
}
