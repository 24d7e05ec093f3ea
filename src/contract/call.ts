// Who calls and how: live streams, what may be named of the host, how it is cancelled.
import type { Readable, Writable } from 'node:stream';
import type { CallContext } from '../shared/call-context.ts';
import type { HostPathPolicy, NetworkCeiling, ProjectSource } from '../shared/policy-types.ts';
import type { DaemonStatus, DaemonStopInput } from './machine.ts';

/** Live streams of a front: output is shown as it comes, or belongs into the result where there is no stream for it. */
export interface RunIo {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  /** Size of the terminal when both ends are one */
  readonly terminal: { readonly cols: number; readonly rows: number } | undefined;
  /** Called when the command runs; gives back what undoes it */
  readonly onStarted: (control: RunControl) => () => void;
}

export interface RunControl {
  readonly signal: (name: string) => void;
  readonly resize: (size: { cols: number; rows: number }) => void;
  /** Command that follows it on for someone who leaves; absent where it ends with its caller */
  readonly followedBy?: string | undefined;
}

/** The call of an operation on workspaces. */
export interface WorkspaceCall extends CallContext {
  /** Streams of a caller who is there while it runs */
  readonly io: RunIo | undefined;
  /** Which paths of the host the caller may name */
  readonly hostPaths: HostPathPolicy;
  /** Where a workspace comes from when the call names no seed */
  readonly project: ProjectSource | undefined;
  /** The most that a workspace may reach; no limit at the command line */
  readonly network: NetworkCeiling | undefined;
}

/** The call of an operation that runs one command in a guest of its own. */
export type RunCall = Omit<WorkspaceCall, 'hostPaths' | 'project'>;

/** What can be asked of the background process by those that are not it. */
export interface DaemonControl {
  /** Undefined when none runs. Throws `daemon_unresponsive`. */
  readonly status: (signal: AbortSignal) => Promise<DaemonStatus | undefined>;
  /** Ends the daemon and waits for that, by force also one that does not answer; guests keep running. False when none ran. */
  readonly stop: (input: DaemonStopInput, signal: AbortSignal) => Promise<boolean>;
}
