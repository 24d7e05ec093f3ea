// vm.run: one command line in a fresh guest, as a tool; the command line has run, which is live.
import { vmRunInput, vmRunOutput } from '../contract/run.ts';
import { defineOperation } from './define.ts';
import { formatSeconds, outputText } from './model-texts.ts';

/** Most of each stream in the result, `bytes` */
const shownBytes = 4000;

/** The line is its `$0`: a fresh guest is asked once, so that which shells it has is found out there */
const byTheBestShell = 'test -x /bin/bash && exec /bin/bash -c "$0" || exec /bin/sh -c "$0"';

export const vmRun = defineOperation({
  name: 'vm.run',
  title: 'Run a command in a fresh guest',
  summary: 'Run one shell command line in a fresh guest, which is deleted afterwards',
  details:
    'It has no project and nothing is kept: use a workspace for work of more than one step. Long output is cut in the middle.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles: ['vm-run', 'workspace-core', 'workspace-full'], opensWorld: true },
  isToolOnly: true,
  positionals: ['environment'],
  input: vmRunInput,
  output: vmRunOutput,
  examples: [
    { why: 'The version of git in Debian 12', command: 'vm_run environment=debian:12 command="git --version"' },
  ],
  run: async (context, input) => {
    const command = ['/bin/sh', '-c', byTheBestShell, input.command];
    const request = { ...input, command, env: {}, cold: false };
    return {
      ...(await context.engine.run(request, shownBytes, { ...context, io: undefined })),
      command: input.command,
    };
  },
  render: (output) =>
    [
      `exit_code ${output.exit_code}${output.timed_out ? ' (timed out)' : ''}, ${formatSeconds(output.duration_ms)}${output.execution_mode === 'guest' ? '' : ', on the host without isolation (host_compat)'}`,
      ...output.denied_connections.map(({ target, reason }) => `network: ${target} refused, ${reason}`),
      ...(output.network_note === null ? [] : [`network: ${output.network_note}`]),
      ...(output.program_note === null ? [] : [output.program_note]),
      ...(output.damage_note === null ? [] : [output.damage_note]),
      ...(output.stdout_truncated || output.stderr_truncated ? ['output was cut'] : []),
      ...(output.is_utf8 ? [] : ['non-UTF-8 bytes were replaced']),
      outputText(output.stdout, output.stderr),
    ].join('\n'),
});
