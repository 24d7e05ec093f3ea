// Commands of a workspace as operations see them: requests in, plain data out.

import type { RunIo } from './engine.ts';

export interface ExecRequest {
  /** Command line for the guest's shell */
  readonly command: string;
  readonly cwd: string | undefined;
  readonly user: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Secrets for the environment, each NAME or NAME=VARIABLE */
  readonly secretEnv: readonly string[];
  readonly stdin: string | undefined;
  /** Streams of a caller who is there while it runs */
  readonly io: RunIo | undefined;
  /** Time limit; 0 for none, and absent for what is usual */
  readonly timeoutMs: number | undefined;
  readonly waitMs: number;
  /** Most output in the result, head and tail together, `bytes` */
  readonly outputBytes: number;
}

/** What a result shows of a command's output */
export interface ShownOutput {
  readonly stdout: string;
  readonly stderr: string;
  readonly stdout_bytes: number;
  readonly stderr_bytes: number;
  readonly truncated: boolean;
  /** False when bytes that are no text were replaced */
  readonly is_utf8: boolean;
}

export interface ExecResult extends ShownOutput {
  readonly workspace_id: string;
  readonly environment: string;
  readonly environment_version: string;
  readonly command: string;
  readonly cwd: string;
  readonly sequence: number;
  readonly running: boolean;
  readonly exit_code: number | null;
  readonly timed_out: boolean;
  readonly duration_ms: number;
  /** What read the command line: `bash` where the environment has it */
  readonly shell: 'bash' | 'sh';
  readonly execution_mode: 'guest';
  readonly restarted: boolean;
  /** Connections that were refused while it ran */
  readonly denied_connections: DeniedConnection[];
  /** Why it could reach nothing, when its output shows that it tried without a network */
  readonly network_note: string | null;
  readonly program_note: string | null;
}

export interface DeniedConnection {
  readonly target: string;
  readonly rule: string;
  readonly reason: string;
}

export interface LogsRequest {
  readonly sequence: number | undefined;
  readonly stream: 'stdout' | 'stderr' | 'both';
  /** Byte offset into the stream, or a sequence number to go on from in the history */
  readonly cursor: number | undefined;
  /** Most bytes of one stream, or most entries of the history */
  readonly limit: number;
  readonly waitMs: number;
}

export interface FollowRequest {
  readonly sequence: number | undefined;
  readonly stream: 'stdout' | 'stderr' | 'both';
  readonly io: RunIo;
}

export interface LogEntry {
  readonly sequence: number;
  readonly command: string;
  readonly cwd: string;
  readonly running: boolean;
  readonly exit_code: number | null;
  readonly timed_out: boolean;
  readonly duration_ms: number;
  readonly execution_mode: 'guest';
  readonly recorded_at: number;
  readonly stdout_bytes: number;
  readonly stderr_bytes: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly is_utf8: boolean;
}

export interface LogsResult {
  readonly workspace_id: string;
  readonly count: number;
  /** Older commands that are no longer kept; null when all are there */
  readonly gone_count: number | null;
  readonly entries: LogEntry[];
  /** Where the next call goes on; null at the end */
  readonly next_cursor: number | null;
}
