// Fields and texts that the shell operations share.
import { z } from 'zod';
import { workspaceIdField } from './workspace-scalars.ts';

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
  cwd: z.string().describe('Where it began'),
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
type ShellOutput = z.infer<typeof shellSchema>;

export function describeShell(shell: ShellOutput): string {
  return `shell ${shell.shell_id}: ${describeState(shell)}, ${shell.cols}x${shell.rows}, ${shell.output_bytes} bytes of output`;
}

export function describeState({ state, lost, exit_code: exitCode }: ShellOutput): string {
  if (state === 'running') return 'running';
  return lost ? 'ended with its guest' : `ended, exit_code ${exitCode}`;
}
