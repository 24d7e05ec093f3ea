// Jobs on the data of a workspace: what each of them gets of it, and how long it may take.
import type { GuestClient } from '../../agent/guest-client.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { deadlineFor, type Job, openWorkFolder } from '../jobs/job.ts';
import type { Workspace } from './workspace.ts';

export interface JobPlace {
  readonly guests: readonly GuestClient[];
  readonly context: CallContext;
  /** Folder for what the job leaves to its caller; one that goes away with the job unless given */
  readonly workFolder?: string;
}

/** Throws what the job throws, `work_too_large` and `deadline_exceeded`. */
export async function runJob<Input, Output>(
  workspace: Workspace,
  job: Job<Input, Output>,
  input: Input,
  { guests, context, workFolder }: JobPlace,
): Promise<Output> {
  await using own = workFolder === undefined ? await openWorkFolder(workspace.files.scratch) : undefined;
  const { record, secrets, resources } = workspace;
  return await resources.jobs.run(job, input, {
    ...context,
    guests,
    secrets,
    workFolder: workFolder ?? own?.path ?? workspace.files.scratch,
    owner: record.id,
    deadlineMs: deadlineFor(record.disk_mib),
  });
}
