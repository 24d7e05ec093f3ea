// What the daemon and a process with a job say to each other; both are of one version.
import type { Form } from '../../secrets/forms.ts';
import { type ErrorReport, errorFromReport, type PyroError, reportError } from '../../shared/errors.ts';
import type { Progress } from '../../shared/progress.ts';

/** Descriptor of the first session with a guest; the next one has the next number */
export const firstGuest = 4;
/** Most guests that a job works with: one that runs, and one that shows an earlier state */
export const mostGuests = 2;

export type ToJob =
  | {
      readonly run: {
        readonly job: string;
        readonly input: unknown;
        readonly guests: number;
        readonly forms: readonly Form[];
        readonly workFolder: string;
      };
    }
  | { readonly cancel: Failure };

export type FromJob = { readonly progress: Progress } | { readonly output: unknown } | { readonly failure: Failure };

export interface Failure {
  readonly report: ErrorReport;
  /** Where a fault of ours happened, for the log */
  readonly stack: string | undefined;
}

export function toFailure(error: unknown): Failure {
  const report = reportError(error);
  return { report, stack: report.code === 'internal' && error instanceof Error ? error.stack : undefined };
}

export function fromFailure({ report, stack }: Failure): PyroError {
  const cause = stack === undefined ? undefined : Object.assign(new Error(report.message), { stack });
  return errorFromReport(report, cause);
}
