// run: one command in a fresh guest, which is deleted afterwards.
import { runInput, runOutput } from '../contract/run.ts';
import { defineOperation } from './define.ts';

/** Most of each stream in the result, `bytes` */
const resultBytes = 8 * 1024 * 1024;

export const run = defineOperation({
  name: 'run',
  title: 'Run a command in a fresh guest',
  summary: 'Run one command in a fresh guest, then delete the guest',
  details:
    "The image's WorkingDir, User and Env apply unless overridden. An environment that is not cached is pulled first. Standard input, output and error are live; the exit code is the command's own, 124 after a timeout. On a terminal the command gets one too, and then no timeout unless you give one.",
  effect: 'write',
  place: 'front',
  positionals: ['environment'],
  rest: 'command',
  hostPathFields: ['seed_path'],
  isLive: true,
  settings: ['vcpu_count', 'mem_mib', 'timeout_seconds', 'network_policy', 'package_sources'],
  input: runInput,
  output: runOutput,
  examples: [
    { why: 'The version of git in Debian 12', command: 'pyro run debian:12 -- git --version' },
    { why: 'A shell in a guest', command: 'pyro run -it debian:12 -- bash' },
    { why: 'The tests of the checkout in this folder', command: 'pyro run debian:12-build --seed-path . -- make test' },
    {
      why: 'With the package sources of this machine',
      command: 'pyro run node:24 --package-sources host --seed-path . --timeout-seconds 300 -- npm ci',
    },
    { why: 'Through a pipe', command: 'echo hello | pyro run debian:12 -- tr a-z A-Z' },
    { why: 'The result as data', command: 'pyro run debian:12 --json -- sh -c "exit 3"' },
  ],
  run: async (context, input) => await context.engine.run(input, resultBytes, context),
  render: ({
    timed_out: timedOut,
    denied_connections: denied,
    network_note: network,
    program_note: program,
    damage_note: damage,
  }) =>
    `${denied.map(({ target, reason }) => `[network] ${target} refused: ${reason}\n`).join('')}${network === null ? '' : `[network] ${network}\n`}${program === null ? '' : `[run] ${program}\n`}${damage === null ? '' : `[run] ${damage}\n`}${timedOut ? 'timed out; the guest was deleted\n' : ''}`,
  exitCode: (output) => output.exit_code,
});
