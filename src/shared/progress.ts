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
}

export type OnProgress = (progress: Progress) => void;

export const noProgress: OnProgress = () => undefined;
