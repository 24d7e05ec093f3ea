// Progress of long work, as data: who prints it and how is the front's affair.

export interface Progress {
  /** Stable word for the step, such as `download` */
  readonly phase: string;
  /** Text for a person */
  readonly message: string;
  /** Work done so far, `bytes` */
  readonly doneBytes?: number;
  /** Whole work, `bytes` */
  readonly totalBytes?: number;
  /** True for what is worth no line of a log: it is shown where the line can be taken away again */
  readonly isPassing?: boolean;
}

export type OnProgress = (progress: Progress) => void;

export const noProgress: OnProgress = () => undefined;

/** A person is told no more often than so, `ms` */
const meterMs = 200;

/** Adds bytes up and tells of them now and then. */
export function createMeter(
  onProgress: OnProgress,
  step: Omit<Progress, 'doneBytes'>,
): (bytes: number, totalBytes?: number) => void {
  let doneBytes = 0;
  let nextAt = 0;
  return (bytes, totalBytes = step.totalBytes) => {
    doneBytes += bytes;
    const now = performance.now();
    if (now < nextAt) return;
    nextAt = now + meterMs;
    onProgress({ ...step, doneBytes, ...(totalBytes === undefined ? {} : { totalBytes }) });
  };
}
