// workspace.shell.open, write, resize, signal, close, list: terminals in a workspace.

import {
  shellCloseInput,
  shellCloseOutput,
  shellListInput,
  shellListOutput,
  shellOpenInput,
  shellOpenOutput,
  shellResizeInput,
  shellSchema,
  shellSignalInput,
  shellSignalOutput,
  shellWriteInput,
  shellWriteOutput,
} from '../contract/shells.ts';
import { formatTable } from '../shared/table.ts';
import { defineOperation } from './define.ts';
import { describeShell, describeState } from './shell-shapes.ts';
import { formatTime, workspacesOf } from './workspace-scalars.ts';

const profiles = ['workspace-full'] as const;

export const shellOpen = defineOperation({
  name: 'workspace.shell.open',
  title: 'Open a shell',
  summary: 'Open a terminal in a workspace, with the shell of its image',
  details:
    'For what needs a terminal or keeps state between commands: prompts, editors, debuggers. It lives until it ends, is closed, or the guest ends. For single commands use workspace_exec.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles, name: 'shell_open', opensWorld: true },
  positionals: ['workspace_id'],
  input: shellOpenInput,
  output: shellOpenOutput,
  examples: [
    { why: 'A terminal', command: 'pyro workspace shell open 6f1e538c0e71' },
    { why: 'One with a secret', command: 'pyro workspace shell open 6f1e538c0e71 --secret-env TOKEN=API_KEY' },
  ],
  run: async (context, input) => await workspacesOf(context).shells.open(input, context),
  render: (output) =>
    `${describeShell(output)}; ${output.program} in ${output.cwd}${output.restarted ? '; the guest was restarted from its disk' : ''}\n`,
});

export const shellWrite = defineOperation({
  name: 'workspace.shell.write',
  title: 'Type into a shell',
  summary: 'Send text to a shell as if it were typed',
  details:
    'It ends with Enter unless append_newline is false. Control characters go as they are: \\u0003 is Ctrl-C, \\u0004 Ctrl-D, \\u001b Escape. Read what follows with shell_read from the returned output_bytes on.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles, name: 'shell_write', opensWorld: true },
  positionals: ['workspace_id', 'shell_id'],
  input: shellWriteInput,
  output: shellWriteOutput,
  examples: [{ why: 'Run a command', command: 'pyro workspace shell write 6f1e538c0e71 c7cd34864680 --input ls' }],
  run: async (context, input) => await workspacesOf(context).shells.write(input, context),
  render: (output) => `typed ${output.input_length} bytes; ${describeShell(output)}\n`,
});

export const shellResize = defineOperation({
  name: 'workspace.shell.resize',
  title: 'Resize a shell',
  summary: 'Change the size of a shell’s terminal',
  details: 'The program in it is notified, as when a window is resized.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles, name: 'shell_resize', isIdempotent: true, isData: true },
  positionals: ['workspace_id', 'shell_id'],
  input: shellResizeInput,
  output: shellSchema,
  examples: [{ why: 'Wider', command: 'pyro workspace shell resize 6f1e538c0e71 c7cd34864680 --cols 200 --rows 50' }],
  run: async (context, input) => await workspacesOf(context).shells.resize(input, context),
  render: (output) => `${describeShell(output)}\n`,
});

export const shellSignal = defineOperation({
  name: 'workspace.shell.signal',
  title: 'Signal in a shell',
  summary: 'Send a signal to the foreground program of a shell',
  details: 'INT is like Ctrl-C. At the prompt that is the shell itself.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles, name: 'shell_signal' },
  positionals: ['workspace_id', 'shell_id'],
  input: shellSignalInput,
  output: shellSignalOutput,
  examples: [{ why: 'Like Ctrl-C', command: 'pyro workspace shell signal 6f1e538c0e71 c7cd34864680' }],
  run: async (context, input) => await workspacesOf(context).shells.signal(input, context),
  render: (output) => `sent ${output.signal}; ${describeShell(output)}\n`,
});

export const shellClose = defineOperation({
  name: 'workspace.shell.close',
  title: 'Close a shell',
  summary: 'End a shell and everything running in it, and discard its output',
  details: 'It gets HUP first, and KILL after 2 s.',
  effect: 'destroy',
  place: 'daemon',
  tool: { profiles, name: 'shell_close' },
  positionals: ['workspace_id', 'shell_id'],
  input: shellCloseInput,
  output: shellCloseOutput,
  examples: [{ why: 'Done with it', command: 'pyro workspace shell close 6f1e538c0e71 c7cd34864680' }],
  run: async (context, input) => await workspacesOf(context).shells.close(input, context),
  render: (output) => `closed; ${describeShell(output)}\n`,
});

export const shellList = defineOperation({
  name: 'workspace.shell.list',
  title: 'List shells',
  summary: 'List the shells of a workspace, even those that have ended',
  details: 'Oldest first.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles, name: 'shell_list', isIdempotent: true, isData: true },
  positionals: ['workspace_id'],
  input: shellListInput,
  output: shellListOutput,
  examples: [{ why: 'Which are open', command: 'pyro workspace shell list 6f1e538c0e71' }],
  run: async (context, input) => await workspacesOf(context).shells.list(input, context),
  render: ({ shells }, width) => {
    const rows = shells.map((shell) => [
      shell.shell_id,
      describeState(shell),
      `${shell.cols}x${shell.rows}`,
      `${shell.output_bytes}`,
      formatTime(shell.started_at),
      shell.program,
      shell.cwd,
    ]);
    return `${formatTable([['SHELL', 'STATE', 'SIZE', 'BYTES', 'STARTED', 'PROGRAM', 'CWD'], ...rows], width)}\n`;
  },
});
