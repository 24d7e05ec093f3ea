// workspace.shell.read: what a shell has written, as it came, as text, or as the screen that it made.
import { z } from 'zod';
import { defineOperation } from './define.ts';
import { describeShell, shellInput, shellSchema } from './shell-shapes.ts';
import { workspacesOf } from './workspace-scalars.ts';

/** Longest wait where one is asked for without saying how long, `s` */
const usualWaitSeconds = 30;

export const shellReadOutput = shellSchema.extend({
  cursor: z.number(),
  next_cursor: z.number(),
  output: z.string(),
  truncated: z.boolean().describe('True when more output follows next_cursor'),
  plain: z.boolean(),
  is_utf8: z.boolean().describe('False when bytes that are no text were replaced'),
  dropped_bytes: z.number().describe('Bytes at the cursor that are no longer kept'),
  wait_for_idle_ms: z.number().nullable(),
  matched: z.boolean().nullable().describe('Whether wait_for has come'),
  screen: z
    .object({
      lines: z.array(z.string()),
      cursor_row: z.number().describe('From 0'),
      cursor_col: z.number().describe('From 0'),
      is_alternate: z.boolean().describe('True while a full-screen program has its own screen'),
    })
    .nullable(),
});

export const shellRead = defineOperation({
  name: 'workspace.shell.read',
  title: 'Read a shell',
  summary: 'Read the output of a shell from a cursor on, or its screen',
  details:
    'next_cursor is where the next read goes on; cursors count bytes of the raw stream and never shift. plain gives text without escape sequences. screen gives the present screen as lines with the cursor, for full-screen programs. wait_for waits until a text or /regular expression/ has come, wait_for_idle_ms until nothing has come for so long; the first of the two that holds ends the wait.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: ['workspace-full'], name: 'shell_read', resultChars: 100_000 },
  commandDefaults: { max_chars: 1_048_576 },
  positionals: ['workspace_id', 'shell_id'],
  input: z.strictObject({
    ...shellInput,
    cursor: z.number().int().min(0).default(0).describe('Byte offset to read from'),
    max_chars: z.number().int().min(1).max(1_048_576).default(8000).describe('Most output in the result, characters'),
    plain: z.boolean().default(false).describe('Text, with escape sequences resolved'),
    screen: z.boolean().default(false).describe('The present screen in place of output'),
    redraw: z.boolean().default(false).describe('Output that draws the present screen on a terminal'),
    wait_for: z.string().min(1).max(500).optional().describe('Text, or /regular expression/, to wait for'),
    wait_for_idle_ms: z.number().int().min(1).max(10_000).optional().describe('Quiet time to wait for, ms'),
    wait_seconds: z
      .number()
      .min(0)
      .max(3600)
      .optional()
      .describe('Longest wait, seconds (30 with wait_for or wait_for_idle_ms, else 0); alone it waits for any output'),
  }),
  output: shellReadOutput,
  examples: [
    {
      why: 'What a command says, until the prompt is back',
      command: 'pyro workspace shell read 6f1e538c0e71 c7cd34864680 --plain --cursor 108 --wait-for "# "',
    },
    { why: 'What an editor shows', command: 'pyro workspace shell read 6f1e538c0e71 c7cd34864680 --screen' },
  ],
  run: async (context, input) => {
    const waits = input.wait_for !== undefined || input.wait_for_idle_ms !== undefined;
    return await workspacesOf(context).shells.read(
      input.workspace_id,
      input.shell_id,
      {
        cursor: input.cursor,
        maxChars: input.max_chars,
        isPlain: input.plain,
        view: input.screen ? 'screen' : input.redraw ? 'redraw' : 'stream',
        waitForIdleMs: input.wait_for_idle_ms,
        waitFor: input.wait_for,
        waitMs: (input.wait_seconds ?? (waits ? usualWaitSeconds : 0)) * 1000,
      },
      context,
    );
  },
  render: (output) => {
    const notes = [
      describeShell(output),
      `next_cursor ${output.next_cursor}${output.truncated ? ' (more follows)' : ''}`,
      ...(output.matched === null ? [] : [output.matched ? 'wait_for has come' : 'wait_for has not come']),
      ...(output.dropped_bytes > 0 ? [`${output.dropped_bytes} bytes at the cursor are no longer kept`] : []),
      ...(output.is_utf8 ? [] : ['bytes that are no UTF-8 were replaced']),
    ];
    const { screen } = output;
    if (screen === null || output.output !== '') return `${notes.join('; ')}\n${output.output}\n`;
    const where = `cursor at row ${screen.cursor_row}, column ${screen.cursor_col}${screen.is_alternate ? ', full-screen program' : ''}`;
    return `${notes.join('; ')}\n${where}\n${screen.lines.join('\n')}\n`;
  },
  renderCommand: (output) => ({
    stdout: output.screen === null || output.output !== '' ? output.output : `${output.screen.lines.join('\n')}\n`,
    stderr: `[shell] next_cursor=${output.next_cursor}${output.truncated ? ' more follows' : ''}${output.matched === false ? ' wait_for has not come' : ''}\n`,
  }),
});
