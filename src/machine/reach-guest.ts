// Connections to a guest that runs already, which may be paused or silent.
import { GuestClient } from '../agent/guest-client.ts';
import { waitForAny } from '../shared/waiting.ts';
import type { ProcessIdentity } from '../system/processes.ts';
import { patiently } from './heartbeat.ts';
import { Qmp } from './qmp.ts';
import { SpaceWatch } from './space-watch.ts';

/** How long it may be paused still, `ms` */
const pauseMs = 1000;

export interface ReachablePlace {
  readonly sockets: { readonly agent: string; readonly qmp: string };
  readonly process: ProcessIdentity;
  readonly magic: Buffer;
  readonly diskFolder: string;
}

/** Throws `guest_unreachable` when it is gone, `guest_unresponsive` when it does not answer, and the error of a pause. */
export async function reachGuest(
  { sockets, process, magic, diskFolder }: ReachablePlace,
  signal: AbortSignal,
): Promise<{ readonly qmp: Qmp; readonly client: GuestClient }> {
  await using undo = new AsyncDisposableStack();
  const qmp = undo.use(
    await patiently(process, signal, (limit) => Qmp.open(sockets.qmp, { deadlineMs: 5000, signal: limit })),
  );
  // What it is asked below ends with the connection.
  const onAbort = (): void => void qmp[Symbol.asyncDispose]();
  signal.addEventListener('abort', onAbort, { once: true });
  undo.defer(() => signal.removeEventListener('abort', onAbort));
  using space = new SpaceWatch(qmp, diskFolder);
  // One that is paused does not answer.
  await space.lookOnce();
  if (space.pause !== undefined) await waitForAny([space.pause], pauseMs);
  if (space.reason !== undefined) throw space.reason.error;
  const client = await patiently(process, signal, (limit) =>
    GuestClient.connect(sockets.agent, magic, { timeoutMs: 30_000, signal: limit }),
  );
  signal.removeEventListener('abort', onAbort);
  undo.move();
  return { qmp, client };
}
