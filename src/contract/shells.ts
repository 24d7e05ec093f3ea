// Shells of a workspace: what goes in and what comes out.

import { z } from 'zod';
import { secretEnvField } from './word-forms.ts';
import { envField, restartedField, workspaceIdField } from './workspaces.ts';

export const shellIdField = z
  .string()
  .regex(/^[0-9a-f]{12}$/, 'a shell id has 12 hexadecimal digits; shell list shows them')
  .describe('Id of the shell');

export const colsField = z.number().int().min(1).max(1000);

export const rowsField = z.number().int().min(1).max(1000);

export const shellInput = { workspace_id: workspaceIdField, shell_id: shellIdField };

export const shellSchema = z.object({
  workspace_id: z.string(),
  shell_id: z.string(),
  program: z.string().describe('Path of the shell'),
  cwd: z.string().describe('Where it started'),
  cols: z.number(),
  rows: z.number(),
  state: z.enum(['running', 'stopped']),
  started_at: z.number(),
  ended_at: z.number().nullable(),
  exit_code: z.number().nullable(),
  lost: z.boolean().describe('True when its guest ended before it did'),
  output_bytes: z.number().describe('Length of its stream so far: the cursor of its end'),
  execution_mode: z.literal('guest'),
});

export type ShellView = z.output<typeof shellSchema>;

export const shellReadOutput = shellSchema.extend({
  cursor: z.number(),
  next_cursor: z.number(),
  output: z.string(),
  truncated: z.boolean().describe('True when more output follows next_cursor'),
  plain: z.boolean(),
  is_utf8: z.boolean().describe('False when non-UTF-8 bytes were replaced'),
  dropped_bytes: z.number().describe('Bytes at the cursor that are no longer kept'),
  wait_for_idle_ms: z.number().nullable(),
  matched: z.boolean().nullable().describe('Whether wait_for matched'),
  screen: z
    .object({
      lines: z.array(z.string()),
      cursor_row: z.number().describe('From 0'),
      cursor_col: z.number().describe('From 0'),
      is_alternate: z.boolean().describe('True while a full-screen program has its own screen'),
    })
    .nullable(),
});

export type ShellReadOutput = z.output<typeof shellReadOutput>;

export const shellOpenInput = z.strictObject({
  workspace_id: workspaceIdField,
  cwd: z.string().optional().describe('Working directory, relative to /workspace'),
  cols: colsField.default(120).describe('Width of the terminal, characters'),
  rows: rowsField.default(30).describe('Height of the terminal, lines'),
  env: envField,
  secret_env: secretEnvField,
});
export type ShellOpenInput = z.output<typeof shellOpenInput>;

export const shellOpenOutput = shellSchema.extend({ restarted: restartedField });
export type ShellOpenOutput = z.output<typeof shellOpenOutput>;

export const shellWriteInput = z.strictObject({
  ...shellInput,
  input: z.string().max(1_048_576).describe('Text to type'),
  append_newline: z.boolean().default(true).describe('Press Enter at the end'),
});
export type ShellWriteInput = z.output<typeof shellWriteInput>;

export const shellWriteOutput = shellSchema.extend({
  input_length: z.number().describe('Bytes typed'),
  append_newline: z.boolean(),
});
export type ShellWriteOutput = z.output<typeof shellWriteOutput>;

export const shellResizeInput = z.strictObject({
  ...shellInput,
  cols: colsField.describe('Width of the terminal, characters'),
  rows: rowsField.describe('Height of the terminal, lines'),
});
export type ShellResizeInput = z.output<typeof shellResizeInput>;

export const shellSignalInput = z.strictObject({
  ...shellInput,
  signal_name: z
    .enum(['INT', 'TERM', 'KILL', 'HUP', 'QUIT', 'USR1', 'USR2', 'STOP', 'CONT'])
    .default('INT')
    .describe('Signal to send'),
});
export type ShellSignalInput = z.output<typeof shellSignalInput>;

export const shellSignalOutput = shellSchema.extend({ signal: z.string() });
export type ShellSignalOutput = z.output<typeof shellSignalOutput>;

export const shellCloseInput = z.strictObject(shellInput);
export type ShellCloseInput = z.output<typeof shellCloseInput>;

export const shellCloseOutput = shellSchema.extend({ closed: z.boolean() });
export type ShellCloseOutput = z.output<typeof shellCloseOutput>;

export const shellListInput = z.strictObject({ workspace_id: workspaceIdField });
export type ShellListInput = z.output<typeof shellListInput>;

export const shellListOutput = z.object({ workspace_id: z.string(), count: z.number(), shells: z.array(shellSchema) });
export type ShellListOutput = z.output<typeof shellListOutput>;

export const shellReadInput = z.strictObject({
  ...shellInput,
  cursor: z.number().int().min(0).default(0).describe('Byte offset to read from'),
  max_chars: z.number().int().min(1).max(1_048_576).default(8000).describe('Most output in the result, characters'),
  plain: z.boolean().default(false).describe('Text, with escape sequences resolved'),
  screen: z.boolean().default(false).describe('The current screen instead of output'),
  redraw: z.boolean().default(false).describe('Output that draws the current screen on a terminal'),
  wait_for: z.string().min(1).max(500).optional().describe('Text, or /regular expression/, to wait for'),
  wait_for_idle_ms: z.number().int().min(1).max(10_000).optional().describe('Quiet time to wait for, ms'),
  wait_seconds: z
    .number()
    .min(0)
    .max(3600)
    .optional()
    .describe('Longest wait, seconds (30 with wait_for or wait_for_idle_ms, else 0); alone it waits for any output'),
});
export type ShellReadInput = z.output<typeof shellReadInput>;
