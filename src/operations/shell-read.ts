// workspace.shell.read: what a shell has written, as it came, as text, or as the screen that it made.

import { shellReadInput, shellReadOutput } from '../contract/shells.ts';
import { defineOperation } from './define.ts';
import { describeShell } from './shell-shapes.ts';
import { workspacesOf } from './workspace-scalars.ts';

export const shellRead = defineOperation({
  name: 'workspace.shell.read',
  title: 'Read a shell',
  summary: 'Read the output of a shell from a cursor on, or its screen',
  details:
    'next_cursor is where the next read continues; cursors count bytes of the raw stream and never shift. plain gives text without escape sequences. screen gives the current screen as lines with the cursor, for full-screen programs. wait_for waits until a text or /regular expression/ appears, wait_for_idle_ms until nothing has been printed for so long; whichever holds first ends the wait.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: ['workspace-full'], name: 'shell_read', resultChars: 100_000 },
  showsContent: true,
  commandDefaults: { max_chars: 1_048_576 },
  positionals: ['workspace_id', 'shell_id'],
  input: shellReadInput,
  output: shellReadOutput,
  examples: [
    {
      why: 'What a command prints, until the prompt is back',
      command: 'pyro workspace shell read 6f1e538c0e71 c7cd34864680 --plain --cursor 108 --wait-for "# "',
    },
    { why: 'What an editor shows', command: 'pyro workspace shell read 6f1e538c0e71 c7cd34864680 --screen' },
  ],
  run: async (context, input) => await workspacesOf(context).shells.read(input, context),
  render: (output) => {
    const notes = [
      describeShell(output),
      `next_cursor ${output.next_cursor}${output.truncated ? ' (more follows)' : ''}`,
      ...(output.matched === null ? [] : [output.matched ? 'wait_for matched' : 'wait_for did not match']),
      ...(output.dropped_bytes > 0 ? [`${output.dropped_bytes} bytes at the cursor are no longer kept`] : []),
      ...(output.is_utf8 ? [] : ['non-UTF-8 bytes were replaced']),
    ];
    const { screen } = output;
    if (screen === null || output.output !== '') return `${notes.join('; ')}\n${output.output}\n`;
    const where = `cursor at row ${screen.cursor_row}, column ${screen.cursor_col}${screen.is_alternate ? ', full-screen program' : ''}`;
    return `${notes.join('; ')}\n${where}\n${screen.lines.join('\n')}\n`;
  },
  renderCommand: (output) => ({
    isContent: true,
    stdout: output.screen === null || output.output !== '' ? output.output : `${output.screen.lines.join('\n')}\n`,
    stderr: `[shell] next_cursor=${output.next_cursor}${output.truncated ? ' more follows' : ''}${output.matched === false ? ' wait_for did not match' : ''}\n`,
  }),
});
