// Commands in a workspace: what goes in and what comes out.

import { z } from 'zod';
import { secretEnvField } from './word-forms.ts';
import { envField, restartedField, workspaceIdField } from './workspaces.ts';

/** Fits the smallest limit of the known hosts, with room for what stands beside the output. */
export const resultBytes = 8000;

export const sequenceField = z.number().int().min(1).describe('Number of the command in this workspace');

export const execInput = z.strictObject({
  workspace_id: workspaceIdField,
  command: z.string().min(1).max(131_072).describe('Shell command line'),
  cwd: z.string().optional().describe('Working directory, relative to /workspace'),
  user: z.string().optional().describe('User in the guest, NAME, UID or UID:GID; default root'),
  env: envField,
  secret_env: secretEnvField,
  stdin: z.string().max(1_048_576).optional().describe('Text for standard input; default empty'),
  timeout_seconds: z
    .number()
    .min(0)
    .max(86_400)
    .optional()
    .describe('Time limit of the command, seconds, 0 for none; default 600'),
  wait_seconds: z.number().min(0).max(86_400).default(40).describe('Longest wait for the command to end, seconds'),
  output_bytes: z
    .number()
    .int()
    .min(256)
    .max(16_777_216)
    .default(resultBytes)
    .describe('Most output in the result, stdout and stderr together, bytes'),
});
export type ExecInput = z.output<typeof execInput>;

export const execOutput = z.object({
  workspace_id: z.string(),
  environment: z.string(),
  environment_version: z.string(),
  command: z.string(),
  cwd: z.string(),
  sequence: z.number(),
  running: z.boolean().describe('True while it keeps running; follow it with workspace_logs'),
  stdout: z.string(),
  stderr: z.string(),
  stdout_bytes: z.number(),
  stderr_bytes: z.number(),
  truncated: z.boolean(),
  is_utf8: z.boolean().describe('False when non-UTF-8 bytes were replaced'),
  exit_code: z.number().nullable(),
  timed_out: z.boolean(),
  duration_ms: z.number(),
  shell: z.enum(['bash', 'sh']).describe('Shell that ran the command line'),
  execution_mode: z.literal('guest'),
  restarted: restartedField,
  denied_connections: z
    .array(z.object({ target: z.string(), rule: z.string(), reason: z.string() }))
    .describe('Refused while it ran'),
  network_note: z.string().nullable(),
  program_note: z.string().nullable().describe('Where to get a program that was not found'),
});
export type ExecOutput = z.output<typeof execOutput>;

export const execSignalInput = z.strictObject({
  workspace_id: workspaceIdField,
  sequence: sequenceField,
  signal_name: z
    .enum(['INT', 'TERM', 'KILL', 'HUP', 'QUIT', 'USR1', 'USR2', 'STOP', 'CONT'])
    .default('INT')
    .describe('Signal to send'),
});
export type ExecSignalInput = z.output<typeof execSignalInput>;

export const execSignalOutput = z.object({ workspace_id: z.string(), sequence: z.number(), signal: z.string() });
export type ExecSignalOutput = z.output<typeof execSignalOutput>;

export const logsInput = z.strictObject({
  workspace_id: workspaceIdField,
  sequence: sequenceField.optional(),
  stream: z.enum(['stdout', 'stderr', 'both']).default('both').describe('Stream to read; required with a cursor'),
  cursor: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe('Byte offset in the stream, or without a sequence the command to continue after'),
  limit: z
    .number()
    .int()
    .min(1)
    .max(1_048_576)
    .optional()
    .describe('Most bytes of output (default 8000), or most commands (default 20)'),
  wait_seconds: z.number().min(0).max(3600).default(0).describe('Longest wait for more output, seconds'),
});
export type LogsInput = z.output<typeof logsInput>;

export const logsOutput = z.object({
  workspace_id: z.string(),
  count: z.number().describe('Commands that are kept'),
  gone_count: z.number().nullable().describe('Older commands that are no longer kept'),
  entries: z.array(
    z.object({
      sequence: z.number(),
      command: z.string(),
      cwd: z.string(),
      running: z.boolean(),
      exit_code: z.number().nullable(),
      timed_out: z.boolean(),
      duration_ms: z.number(),
      execution_mode: z.literal('guest'),
      recorded_at: z.number(),
      stdout_bytes: z.number(),
      stderr_bytes: z.number(),
      stdout: z.string(),
      stderr: z.string(),
      is_utf8: z.boolean(),
    }),
  ),
  next_cursor: z.number().nullable(),
});
export type LogsOutput = z.output<typeof logsOutput>;

export type DeniedConnection = ExecOutput['denied_connections'][number];
/** What a result shows of a command's output */
export type ShownOutput = Pick<
  ExecOutput,
  'stdout' | 'stderr' | 'stdout_bytes' | 'stderr_bytes' | 'truncated' | 'is_utf8'
>;
export type LogEntry = LogsOutput['entries'][number];
