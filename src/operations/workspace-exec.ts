// workspace.exec, exec_signal, logs: commands in a workspace and what they have written.
import { z } from 'zod';
import { formatTable } from '../shared/table.ts';
import { formatDuration } from '../shared/units.ts';
import { defineOperation } from './define.ts';
import { execText, logsText } from './model-texts.ts';
import { secretEnvField } from './word-forms.ts';
import { core, envField, restartedField, secretWords, workspaceIdField, workspacesOf } from './workspace-scalars.ts';

/** Fits the smallest limit of the known hosts, with room for what stands beside the output. */
const resultBytes = 8000;

const sequenceField = z.number().int().min(1).describe('Number of the command in this workspace');

export const workspaceExec = defineOperation({
  name: 'workspace.exec',
  title: 'Run a command in a workspace',
  summary: 'Run a shell command line in a workspace',
  details:
    'It runs as root in /workspace unless told otherwise, by bash where the environment has it, else by sh. A command that outlasts wait_seconds goes on: running is true, and workspace_logs with its sequence follows it. A timeout keeps the output and kills the whole process tree, exit_code 124. Long output comes as head and tail; workspace_logs pages through all of it.',
  effect: 'write',
  place: 'daemon',
  isLive: true,
  terminal: 'asked',
  tool: {
    profiles: core,
    isAlwaysLoaded: true,
    opensWorld: true,
    silentFields: [
      'workspace_id',
      'environment',
      'environment_version',
      'command',
      'cwd',
      'stdout_bytes',
      'stderr_bytes',
      'shell',
    ],
  },
  commandDefaults: { wait_seconds: 86_400, output_bytes: 16_777_216 },
  short: 'exec',
  findsWorkspace: true,
  positionals: ['workspace_id'],
  rest: 'command',
  input: z.strictObject({
    workspace_id: workspaceIdField,
    command: z.string().min(1).max(131_072).describe('Shell command line'),
    cwd: z.string().optional().describe('Working directory; relative ones are under /workspace'),
    user: z.string().optional().describe('User in the guest, NAME, UID or UID:GID; root unless given'),
    env: envField,
    secret_env: secretEnvField,
    stdin: z.string().max(1_048_576).optional().describe('Text for standard input, which is empty otherwise'),
    timeout_seconds: z
      .number()
      .min(0)
      .max(86_400)
      .optional()
      .describe('Time limit of the command, seconds, 0 for none; 600 unless given'),
    wait_seconds: z
      .number()
      .min(0)
      .max(86_400)
      .default(40)
      .describe('Longest wait for the end of the command, seconds'),
    output_bytes: z
      .number()
      .int()
      .min(256)
      .max(16_777_216)
      .default(resultBytes)
      .describe('Most output in the result, stdout and stderr together, bytes'),
  }),
  output: z.object({
    workspace_id: z.string(),
    environment: z.string(),
    environment_version: z.string(),
    command: z.string(),
    cwd: z.string(),
    sequence: z.number(),
    running: z.boolean().describe('True when the command goes on; follow it with workspace_logs'),
    stdout: z.string(),
    stderr: z.string(),
    stdout_bytes: z.number(),
    stderr_bytes: z.number(),
    truncated: z.boolean(),
    is_utf8: z.boolean().describe('False when bytes that are no text were replaced'),
    exit_code: z.number().nullable(),
    timed_out: z.boolean(),
    duration_ms: z.number(),
    shell: z.enum(['bash', 'sh']).describe('What read the command line'),
    execution_mode: z.literal('guest'),
    restarted: restartedField,
    denied_connections: z
      .array(z.object({ target: z.string(), rule: z.string(), reason: z.string() }))
      .describe('Refused while it ran'),
    network_note: z.string().nullable(),
    program_note: z.string().nullable().describe('Where a program is that was not found'),
  }),
  examples: [
    { why: 'Run the tests', command: "pyro workspace exec 6f1e538c0e71 -- 'make test 2>&1 | tail'" },
    {
      why: 'One word is a shell line, several are quoted',
      command: 'pyro workspace exec 6f1e538c0e71 -- ls -la "a b"',
    },
    { why: 'Through a pipe', command: 'tar c src | pyro workspace exec 6f1e538c0e71 -- tar x -C /tmp' },
    { why: 'A terminal', command: 'pyro workspace exec -it 6f1e538c0e71 -- bash' },
  ],
  run: async (context, input) =>
    await workspacesOf(context).exec(
      input.workspace_id,
      {
        command: input.command,
        cwd: input.cwd,
        user: input.user,
        env: input.env,
        secretEnv: secretWords(input.secret_env),
        stdin: input.stdin,
        io: context.io,
        timeoutMs: input.timeout_seconds === undefined ? undefined : Math.round(input.timeout_seconds * 1000),
        waitMs: input.wait_seconds * 1000,
        outputBytes: input.output_bytes,
      },
      context,
    ),
  render: execText,
  renderCommand: (output) => ({
    stdout: output.stdout,
    stderr: `${output.stderr}${output.denied_connections.map(({ target, reason }) => `[network] ${target} refused: ${reason}\n`).join('')}${output.network_note === null ? '' : `[network] ${output.network_note}\n`}${output.program_note === null ? '' : `[exec] ${output.program_note}\n`}${output.running ? `[exec] still running: pyro workspace logs ${output.workspace_id} --sequence ${output.sequence} --follow\n` : ''}${output.timed_out ? '[exec] timed out\n' : ''}`,
  }),
  exitCode: (output) => output.exit_code ?? 0,
});

export const workspaceExecSignal = defineOperation({
  name: 'workspace.exec_signal',
  title: 'Signal a running command',
  summary: 'Send a signal to the process group of a running command',
  details: 'The sequence is that of the result of workspace_exec.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles: core },
  findsWorkspace: true,
  positionals: ['workspace_id', 'sequence'],
  input: z.strictObject({
    workspace_id: workspaceIdField,
    sequence: sequenceField,
    signal_name: z
      .enum(['INT', 'TERM', 'KILL', 'HUP', 'QUIT', 'USR1', 'USR2', 'STOP', 'CONT'])
      .default('INT')
      .describe('Signal to send'),
  }),
  output: z.object({ workspace_id: z.string(), sequence: z.number(), signal: z.string() }),
  examples: [{ why: 'Like Ctrl-C', command: 'pyro workspace exec-signal 6f1e538c0e71 3' }],
  run: async (context, { workspace_id: id, sequence, signal_name: signal }) => {
    await workspacesOf(context).signal(id, sequence, signal, context);
    return { workspace_id: id, sequence, signal };
  },
  render: ({ sequence, signal }) => `sent ${signal} to command ${sequence}\n`,
});

export const workspaceLogs = defineOperation({
  name: 'workspace.logs',
  title: 'Commands and their output',
  summary: 'List the commands of a workspace, or page through the output of one',
  details:
    'Without a sequence: the last commands with the beginning of their output. With one: the output of a stream from byte offset cursor on; next_cursor is where to go on, null at the end. wait_seconds waits for more output of a running command, without a sequence for the end of what runs.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: core, resultChars: 100_000, silentFields: ['workspace_id'] },
  followsInDaemon: true,
  short: 'logs',
  findsWorkspace: true,
  positionals: ['workspace_id'],
  input: z.strictObject({
    workspace_id: workspaceIdField,
    sequence: sequenceField.optional(),
    stream: z.enum(['stdout', 'stderr', 'both']).default('both').describe('Output to read; paging needs one of two'),
    cursor: z
      .number()
      .int()
      .min(0)
      .optional()
      .describe('Byte offset in the stream, or without a sequence the command to go on after'),
    limit: z
      .number()
      .int()
      .min(1)
      .max(1_048_576)
      .optional()
      .describe('Most bytes of output (8000 unless given), or most commands (20 unless given)'),
    wait_seconds: z.number().min(0).max(3600).default(0).describe('Longest wait for more output, seconds'),
  }),
  output: z.object({
    workspace_id: z.string(),
    count: z.number(),
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
  }),
  examples: [
    { why: 'What was run', command: 'pyro workspace logs 6f1e538c0e71' },
    { why: 'The output of command 3', command: 'pyro workspace logs 6f1e538c0e71 --sequence 3 --stream stdout' },
    { why: 'The newest command that runs, else the newest, until it ends or Ctrl-C', command: 'pyro logs -f' },
    {
      why: 'All of it, and what comes, as it was written',
      command: 'pyro workspace logs 6f1e538c0e71 --sequence 3 --follow',
    },
  ],
  run: async (context, input) =>
    await workspacesOf(context).logs(
      input.workspace_id,
      {
        sequence: input.sequence,
        stream: input.stream,
        cursor: input.cursor,
        limit: input.limit ?? (input.sequence === undefined ? 20 : resultBytes),
        waitMs: input.wait_seconds * 1000,
      },
      context,
    ),
  follow: async (context, { workspace_id: id, sequence, stream }) => {
    if (context.io === undefined) throw new Error('following needs a front with streams');
    return await workspacesOf(context).follow(id, { sequence, stream, io: context.io }, context);
  },
  render: ({ workspace_id: id, entries, count, next_cursor }, width) => {
    if (entries.length === 0) return 'no commands\n';
    const rows = entries.map((entry) => [
      String(entry.sequence),
      entry.running ? 'running' : String(entry.exit_code ?? 'lost'),
      formatDuration(entry.duration_ms),
      entry.cwd,
      `${entry.stdout_bytes}+${entry.stderr_bytes}`,
      entry.command.split('\n')[0]?.slice(0, 80) ?? '',
    ]);
    const outputs = entries.map(
      (entry) =>
        `${section(id, `${entry.sequence} stdout`, entry.stdout)}${section(id, `${entry.sequence} stderr`, entry.stderr)}${entry.is_utf8 ? '' : 'bytes that are no UTF-8 were replaced\n'}`,
    );
    const head = ['SEQUENCE', 'EXIT', 'TIME', 'CWD', 'BYTES', 'COMMAND'];
    const more = next_cursor === null ? '' : `next_cursor ${next_cursor}\n`;
    return `${formatTable([head, ...rows], width)}\n${count > entries.length ? `${count} commands in all\n` : ''}${outputs.join('')}${more}`;
  },
  renderModel: logsText,
});

const cutNote = /^(\[… \d+ bytes left out: )workspace_logs sequence=(\d+) stream=(\w+) cursor=(\d+) …\]$/gm;

/** The output, and where it was cut the command that shows the rest. */
function section(id: string, name: string, text: string): string {
  if (text === '') return '';
  const shown = text.replaceAll(cutNote, `$1pyro logs ${id} --sequence $2 --stream $3 --cursor $4 …]`);
  return `--- ${name}\n${shown}${shown.endsWith('\n') ? '' : '\n'}`;
}
