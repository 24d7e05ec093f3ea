// Jobs outside the daemon: each in a process of its own, one held ready, and only so many at a time.
import { formatCount } from '../../shared/units.ts';
import type { JobRequest, JobRunner } from './job.ts';
import { type JobLimits, JobProcess, jobLimits } from './job-process.ts';

/** Most at a time, and most of one owner */
export const mostJobs = 8;
export const mostJobsOfOwner = 2;
/** Time after the last job for which a process is held ready, `ms` */
const readyMs = 120_000;

interface Waiting {
  readonly owner: string;
  readonly go: () => void;
}

/** `main` is our own executable. */
export function openJobProcesses(main: string, limits: JobLimits = jobLimits): JobRunner {
  const running: { readonly owner: string; readonly process: JobProcess }[] = [];
  const places: string[] = [];
  const waiting: Waiting[] = [];
  let ready: JobProcess | undefined;
  let resting: NodeJS.Timeout | undefined;
  let isClosed = false;

  const hasPlace = (owner: string): boolean =>
    places.length < mostJobs && places.filter((each) => each === owner).length < mostJobsOfOwner;

  const enter = async ({ owner, signal, onProgress }: JobRequest): Promise<Disposable> => {
    signal.throwIfAborted();
    if (!hasPlace(owner)) {
      onProgress({
        phase: 'wait',
        message: `waiting for ${formatCount(places.length, 'other call')} on files of guests`,
      });
      await new Promise<void>((resolve, reject) => {
        const go = (): void => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        };
        const entry = { owner, go };
        const onAbort = (): void => {
          waiting.splice(waiting.indexOf(entry), 1);
          reject(signal.reason);
        };
        signal.addEventListener('abort', onAbort, { once: true });
        waiting.push(entry);
      });
    } else places.push(owner);
    return {
      [Symbol.dispose]: () => {
        places.splice(places.indexOf(owner), 1);
        const next = waiting.findIndex((each) => hasPlace(each.owner));
        const [entry] = next < 0 ? [] : waiting.splice(next, 1);
        if (entry === undefined) return;
        // Taken before it goes on, so that nobody else takes it meanwhile.
        places.push(entry.owner);
        entry.go();
      },
    };
  };

  const prepare = (): void => {
    if (isClosed) return;
    if (ready === undefined || ready.isOver) ready = new JobProcess(main, limits);
    clearTimeout(resting);
    resting = setTimeout(() => {
      ready?.end();
      ready = undefined;
    }, readyMs);
    resting.unref();
  };

  return {
    run: async (job, input, request) => {
      using _place = await enter(request);
      const process = ready === undefined || ready.isOver ? new JobProcess(main, limits) : ready;
      ready = undefined;
      const entry = { owner: request.owner, process };
      running.push(entry);
      try {
        return await process.run(job.name, input, request);
      } finally {
        running.splice(running.indexOf(entry), 1);
        prepare();
      }
    },
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      clearTimeout(resting);
      const processes = [...(ready === undefined ? [] : [ready]), ...running.map(({ process }) => process)];
      for (const process of processes) process.end();
      await Promise.all(processes.map(({ gone }) => gone));
    },
  };
}
