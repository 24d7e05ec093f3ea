// workspace.shell.open, write, resize, signal, close, list: terminals in a workspace.
import { z } from 'zod';
import { formatTable } from '../shared/table.ts';
import { defineOperation } from './define.ts';
import { colsField, describeShell, describeState, rowsField, shellInput, shellSchema } from './shell-shapes.ts';
import { secretEnvField } from './word-forms.ts';
import {
  envField,
  formatTime,
  restartedField,
  secretWords,
  workspaceIdField,
  workspacesOf,
} from './workspace-scalars.ts';

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
  input: z.strictObject({
    workspace_id: workspaceIdField,
    cwd: z.string().optional().describe('Working directory; relative ones are under /workspace'),
    cols: colsField.default(120).describe('Width of the terminal, characters'),
    rows: rowsField.default(30).describe('Height of the terminal, lines'),
    env: envField,
    secret_env: secretEnvField,
  }),
  output: shellSchema.extend({ restarted: restartedField }),
  examples: [
    { why: 'A terminal', command: 'pyro workspace shell open 6f1e538c0e71' },
    { why: 'One with a secret', command: 'pyro workspace shell open 6f1e538c0e71 --secret-env TOKEN=API_KEY' },
  ],
  run: async (context, { workspace_id: id, cwd, cols, rows, env, secret_env: secretEnv }) =>
    await workspacesOf(context).shells.open(id, { cwd, cols, rows, env, secretEnv: secretWords(secretEnv) }, context),
  render: (output) =>
    `${describeShell(output)}; ${output.program} in ${output.cwd}${output.restarted ? '; the guest was started again from its disk' : ''}\n`,
});

export const shellWrite = defineOperation({
  name: 'workspace.shell.write',
  title: 'Type into a shell',
  summary: 'Send text to a shell as if it was typed',
  details:
    'It ends with Enter unless append_newline is false. Control characters go as they are: \\u0003 is Ctrl-C, \\u0004 Ctrl-D, \\u001b Escape. Read what follows with shell_read from the returned output_bytes on.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles, name: 'shell_write', opensWorld: true },
  positionals: ['workspace_id', 'shell_id'],
  input: z.strictObject({
    ...shellInput,
    input: z.string().max(1_048_576).describe('Text to type'),
    append_newline: z.boolean().default(true).describe('Press Enter at the end'),
  }),
  output: shellSchema.extend({ input_length: z.number().describe('Bytes typed'), append_newline: z.boolean() }),
  examples: [{ why: 'Run a command', command: 'pyro workspace shell write 6f1e538c0e71 c7cd34864680 --input ls' }],
  run: async (context, { workspace_id: id, shell_id: shell, input, append_newline: appendsNewline }) => ({
    ...(await workspacesOf(context).shells.write(id, shell, { input, appendsNewline }, context)),
    append_newline: appendsNewline,
  }),
  render: (output) => `typed ${output.input_length} bytes; ${describeShell(output)}\n`,
});

export const shellResize = defineOperation({
  name: 'workspace.shell.resize',
  title: 'Resize a shell',
  summary: 'Change the size of a shell’s terminal',
  details: 'The program in it is told, as by a window that changes.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles, name: 'shell_resize', isIdempotent: true, isData: true },
  positionals: ['workspace_id', 'shell_id'],
  input: z.strictObject({
    ...shellInput,
    cols: colsField.describe('Width of the terminal, characters'),
    rows: rowsField.describe('Height of the terminal, lines'),
  }),
  output: shellSchema,
  examples: [{ why: 'Wider', command: 'pyro workspace shell resize 6f1e538c0e71 c7cd34864680 --cols 200 --rows 50' }],
  run: async (context, { workspace_id: id, shell_id: shell, cols, rows }) =>
    await workspacesOf(context).shells.resize(id, shell, { cols, rows }, context),
  render: (output) => `${describeShell(output)}\n`,
});

export const shellSignal = defineOperation({
  name: 'workspace.shell.signal',
  title: 'Signal in a shell',
  summary: 'Send a signal to what runs in the foreground of a shell',
  details: 'INT is like Ctrl-C. At its prompt that is the shell itself.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles, name: 'shell_signal' },
  positionals: ['workspace_id', 'shell_id'],
  input: z.strictObject({
    ...shellInput,
    signal_name: z
      .enum(['INT', 'TERM', 'KILL', 'HUP', 'QUIT', 'USR1', 'USR2', 'STOP', 'CONT'])
      .default('INT')
      .describe('Signal to send'),
  }),
  output: shellSchema.extend({ signal: z.string() }),
  examples: [{ why: 'Like Ctrl-C', command: 'pyro workspace shell signal 6f1e538c0e71 c7cd34864680' }],
  run: async (context, { workspace_id: id, shell_id: shell, signal_name: signal }) => ({
    ...(await workspacesOf(context).shells.signal(id, shell, signal, context)),
    signal,
  }),
  render: (output) => `sent ${output.signal}; ${describeShell(output)}\n`,
});

export const shellClose = defineOperation({
  name: 'workspace.shell.close',
  title: 'Close a shell',
  summary: 'End a shell and all that runs in it, and forget its output',
  details: 'It is hung up on first, and killed after 2 s.',
  effect: 'destroy',
  place: 'daemon',
  tool: { profiles, name: 'shell_close' },
  positionals: ['workspace_id', 'shell_id'],
  input: z.strictObject(shellInput),
  output: shellSchema.extend({ closed: z.boolean() }),
  examples: [{ why: 'Done with it', command: 'pyro workspace shell close 6f1e538c0e71 c7cd34864680' }],
  run: async (context, { workspace_id: id, shell_id: shell }) => ({
    ...(await workspacesOf(context).shells.close(id, shell, context)),
    closed: true,
  }),
  render: (output) => `closed; ${describeShell(output)}\n`,
});

export const shellList = defineOperation({
  name: 'workspace.shell.list',
  title: 'List shells',
  summary: 'List the shells of a workspace, also those that have ended',
  details: 'Oldest first.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles, name: 'shell_list', isIdempotent: true, isData: true },
  positionals: ['workspace_id'],
  input: z.strictObject({ workspace_id: workspaceIdField }),
  output: z.object({ workspace_id: z.string(), count: z.number(), shells: z.array(shellSchema) }),
  examples: [{ why: 'Which are open', command: 'pyro workspace shell list 6f1e538c0e71' }],
  run: async (context, { workspace_id: id }) => {
    const shells = await workspacesOf(context).shells.list(id);
    return { workspace_id: id, count: shells.length, shells };
  },
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
