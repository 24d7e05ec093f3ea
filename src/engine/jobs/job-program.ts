// The process of one job: takes it from the daemon, does it, tells how it went, and ends; also when the daemon is gone.
import { writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { GuestClient } from '../../agent/guest-client.ts';
import { SecretSet } from '../../secrets/secret-set.ts';
import { PyroError } from '../../shared/errors.ts';
import type { Job } from './job.ts';
import { type FromJob, firstGuest, fromFailure, type ToJob, toFailure } from './job-messages.ts';

/** Any job, by its name: whoever sends its input has it checked against its type */
export type AnyJob = Job<never, unknown>;

/** Exit codes: its outcome was told, or nobody was there to hear it */
const told = 0;
const unheard = 3;

/** Does one job and tells its outcome; whoever has heard it ends this process. Comes back with an exit code when nobody does. */
export async function runJobProgram(jobs: readonly AnyJob[]): Promise<number> {
  becomeFirstToGo();
  const cancelling = new AbortController();
  const { promise: begun, resolve: begin } = Promise.withResolvers<
    Extract<ToJob, { run: unknown }>['run'] | undefined
  >();
  process.on('message', (message: ToJob) => {
    if ('run' in message) begin(message.run);
    else cancelling.abort(fromFailure(message.cancel));
  });
  const { promise: alone, resolve: leave } = Promise.withResolvers<void>();
  process.once('disconnect', () => {
    leave();
    begin(undefined);
    cancelling.abort(new PyroError('cancelled', 'the daemon is gone'));
  });
  const request = await begun;
  if (request === undefined) return unheard;
  try {
    const guests: GuestClient[] = [];
    for (let at = 0; at < request.guests; at++)
      guests.push(await GuestClient.over(new Socket({ fd: firstGuest + at })));
    const job = jobs.find(({ name }) => name === request.job);
    if (job === undefined) throw new PyroError('internal', `there is no job ${request.job}`);
    // Both sides are of one version, and the input was typed on the other.
    const output = await job.run(request.input as never, {
      guests,
      secrets: SecretSet.ofForms(request.forms.map((form) => ({ ...form, bytes: Buffer.from(form.bytes) }))),
      workFolder: request.workFolder,
      signal: cancelling.signal,
      onProgress: (progress) => void tell({ progress }),
    });
    await tell({ output });
  } catch (error) {
    await tell({ failure: toFailure(error) });
  }
  if (!process.connected) return unheard;
  // An end that is known before the outcome is read would look like one without it.
  await alone;
  return told;
}

/** Settles when it is on its way; whoever does not listen any more has no use for it. */
async function tell(message: FromJob): Promise<void> {
  if (!process.connected) return;
  await new Promise<void>((resolve) => {
    process.send?.(message, undefined, undefined, () => resolve());
  });
}

/** Where the machine's memory runs out, it is the work that goes, not the guests and not the daemon. */
function becomeFirstToGo(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '800');
  } catch {
    // Not every container lets a process say so.
  }
}
