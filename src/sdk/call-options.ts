// What a call of the library takes beside its input.
import type { Readable, Writable } from 'node:stream';
import type { OnProgress } from '../shared/progress.ts';

export interface CallOptions {
  /** Cancels the call; what it runs in a guest is killed */
  readonly signal?: AbortSignal | undefined;
  /** Called with each step of long work */
  readonly onProgress?: OnProgress | undefined;
  /** Called for each argument that was not as the types have it and was taken all the same */
  readonly onNote?: ((note: string) => void) | undefined;
  /** Live streams, for `run`, `workspace.exec` and `workspace.shell.attach` */
  readonly streams?: LiveStreams | undefined;
}

export interface LiveStreams {
  readonly stdin?: Readable | undefined;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** Runs an operation by its name, `workspace.exec`, and gives its output. */
export type CallByName = (
  name: string,
  input: Readonly<Record<string, unknown>>,
  options?: CallOptions,
) => Promise<Readonly<Record<string, unknown>>>;
