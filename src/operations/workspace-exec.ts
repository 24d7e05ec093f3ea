// workspace.exec, exec_signal, logs: commands in a workspace and what they have written.

import {
  execInput,
  execOutput,
  execSignalInput,
  execSignalOutput,
  logsInput,
  logsOutput,
} from '../contract/commands.ts';
import { formatTable } from '../shared/table.ts';
import { formatCount, formatDuration } from '../shared/units.ts';
import { defineOperation } from './define.ts';
import { execText, goneLine, logsText } from './model-texts.ts';
import { core, workspacesOf } from './workspace-scalars.ts';

/** As of a command whose time is up */
const exitTimeUp = 124;

export const workspaceExec = defineOperation({
  name: 'workspace.exec',
  title: 'Run a command in a workspace',
  summary: 'Run a shell command line in a workspace',
  details:
    'It runs as root in /workspace by default, in bash if the environment has it, else in sh. A command that outlasts wait_seconds keeps running: running is true, and workspace_logs with its sequence follows it. A timeout keeps the output and kills the whole process tree, exit_code 124. Long output comes as head and tail; workspace_logs pages through all of it.',
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
  input: execInput,
  output: execOutput,
  examples: [
    { why: 'Run the tests', command: "pyro workspace exec 6f1e538c0e71 -- 'make test 2>&1 | tail'" },
    {
      why: 'One word is a shell line, several are quoted',
      command: 'pyro workspace exec 6f1e538c0e71 -- ls -la "a b"',
    },
    { why: 'Through a pipe', command: 'tar c src | pyro workspace exec 6f1e538c0e71 -- tar x -C /tmp' },
    { why: 'A terminal', command: 'pyro workspace exec -it 6f1e538c0e71 -- bash' },
  ],
  run: async (context, input) => await workspacesOf(context).exec(input, context),
  render: execText,
  renderCommand: (output) => ({
    stdout: output.stdout,
    stderr: `${output.stderr}${output.denied_connections.map(({ target, reason }) => `[network] ${target} refused: ${reason}\n`).join('')}${output.network_note === null ? '' : `[network] ${output.network_note}\n`}${output.program_note === null ? '' : `[exec] ${output.program_note}\n`}${output.running ? `[exec] not over yet, and still running: follow it with: pyro workspace logs ${output.workspace_id} --sequence ${output.sequence} --follow\n` : ''}${output.timed_out ? '[exec] timed out\n' : ''}`,
  }),
  // Whoever waits no longer does not know how it ends: a script must not take that for success.
  exitCode: (output) => output.exit_code ?? (output.running ? exitTimeUp : 0),
});

export const workspaceExecSignal = defineOperation({
  name: 'workspace.exec_signal',
  title: 'Signal a running command',
  summary: 'Send a signal to the process group of a running command',
  details: 'The sequence is in the result of workspace_exec.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles: core },
  findsWorkspace: true,
  positionals: ['workspace_id', 'sequence'],
  input: execSignalInput,
  output: execSignalOutput,
  examples: [{ why: 'Like Ctrl-C', command: 'pyro workspace exec-signal 6f1e538c0e71 3' }],
  run: async (context, input) => await workspacesOf(context).signal(input, context),
  render: ({ sequence, signal }) => `sent ${signal} to command ${sequence}\n`,
});

export const workspaceLogs = defineOperation({
  name: 'workspace.logs',
  title: 'Commands and their output',
  summary: 'List the commands of a workspace, or page through the output of one',
  details:
    'Without a sequence: the last commands with the start of their output. With one: the output of a stream from byte offset cursor on; next_cursor is where to continue, null at the end. wait_seconds waits for more output of a running command, without a sequence until all have ended.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: core, resultChars: 100_000, silentFields: ['workspace_id'] },
  followsInDaemon: true,
  showsContent: true,
  short: 'logs',
  findsWorkspace: true,
  positionals: ['workspace_id'],
  input: logsInput,
  output: logsOutput,
  examples: [
    { why: 'What was run', command: 'pyro workspace logs 6f1e538c0e71' },
    { why: 'The output of command 3', command: 'pyro workspace logs 6f1e538c0e71 --sequence 3 --stream stdout' },
    { why: 'The newest running command, else the newest, until it ends or Ctrl-C', command: 'pyro logs -f' },
    {
      why: 'All of it so far, and what follows, as written',
      command: 'pyro workspace logs 6f1e538c0e71 --sequence 3 --follow',
    },
  ],
  run: async (context, input) => await workspacesOf(context).logs(input, context),
  follow: async (context, input) => await workspacesOf(context).follow(input, context),
  render: ({ workspace_id: id, entries, count, gone_count: gone, next_cursor }, width) => {
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
        `${section(id, `${entry.sequence} stdout`, entry.stdout)}${section(id, `${entry.sequence} stderr`, entry.stderr)}${entry.is_utf8 ? '' : 'non-UTF-8 bytes were replaced\n'}`,
    );
    const head = ['SEQUENCE', 'EXIT', 'TIME', 'CWD', 'BYTES', 'COMMAND'];
    const more = next_cursor === null ? '' : `next_cursor ${next_cursor}\n`;
    return `${formatTable([head, ...rows], width)}\n${count > entries.length ? `${formatCount(count, 'command')} in all\n` : ''}${goneLine(gone)}${outputs.join('')}${more}`;
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
