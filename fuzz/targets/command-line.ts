// Any command line: help, a fault that is told as such, or a call whose input is checked; never an internal error.
import { ok as holds, strictEqual } from 'node:assert';
import type { Command } from 'commander';
import { checkInput } from '../../src/cli/check-call.ts';
import { withRest } from '../../src/cli/command.ts';
import { exitUsage, parseArguments } from '../../src/cli/parse.ts';
import { createProgram, groupCommands } from '../../src/cli/program.ts';
import { addServers } from '../../src/cli/server-program.ts';
import type { Servers } from '../../src/cli/servers.ts';
import { operations } from '../../src/operations/index.ts';
import { type Target, tolerate } from '../target.ts';

/** Words of a line are parted by this. */
const between = '\n';
const names = operations.flatMap(({ definition }) => definition.name.split('.'));
const flags = operations.flatMap(({ definition }) =>
  Object.keys(definition.input.shape).flatMap((field) => [
    `--${field.replaceAll('_', '-')}`,
    `--${field.replaceAll('_', '-').replace(/s$/, '')}`,
  ]),
);
const shorts = operations.flatMap(({ definition }) => definition.short ?? []);
const examples = operations.flatMap(({ definition }) =>
  definition.examples.map(({ command }) => command.split(' ').slice(1).join(between)),
);

const servers: Servers = { mcp: async () => 0, daemon: async () => 0 };

/** What the command tree prints goes nowhere. */
async function muted<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly said: string }> {
  const [stdout, stderr] = [process.stdout.write, process.stderr.write];
  let said = '';
  const take = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    said += String(chunk);
    for (const each of rest) if (typeof each === 'function') each();
    return true;
  };
  Object.assign(process.stdout, { write: take });
  Object.assign(process.stderr, { write: take });
  try {
    return { value: await work(), said };
  } finally {
    Object.assign(process.stdout, { write: stdout });
    Object.assign(process.stderr, { write: stderr });
  }
}

/** What the line that is tried has behind `--`, and whether it came as far as a checked input */
let rest: readonly string[] = [];
let hasChecked = false;

function treeOf(hasRest: boolean): Command {
  const program = createProgram('0', hasRest, async (call) => {
    const whole = withRest(call, rest);
    hasChecked = tolerate(() => checkInput(whole, {}, {})) !== undefined;
  });
  addServers(program, servers, new AbortController().signal, () => undefined);
  groupCommands(program);
  return program;
}
// The library restores a tree before each line that it reads.
const [treeAlone, treeWithRest] = [treeOf(false), treeOf(true)];

export const commandLine: Target = {
  isSlow: true,
  examples: [
    ...examples,
    '--version',
    'help\nworkspace\nexec',
    'mcp\nserve\n--profile\nworkspace-full',
    'completion\nbash',
    'run\nalpine\n--json\n--\nls',
  ].map((line) => Buffer.from(line)),
  words: [
    ...new Set([
      ...names,
      ...shorts,
      ...flags,
      '--',
      '--json',
      '--help',
      '-q',
      '-it',
      '-f',
      'K=V',
      '{}',
      '--no-',
      '-',
      '@file',
    ]),
  ].map((word) => `${between}${word}${between}`),
  longest: 8192,
  run: async (input) => {
    const argv = input.toString('utf8').split(between);
    const at = argv.indexOf('--');
    hasChecked = false;
    rest = at < 0 ? [] : argv.slice(at + 1);
    const { value: exitCode, said } = await muted(() =>
      parseArguments(rest.length > 0 ? treeWithRest : treeAlone, at < 0 ? argv : argv.slice(0, at)),
    );
    holds(
      exitCode === undefined || exitCode === 0 || exitCode === exitUsage,
      `exit code ${exitCode}: ${said.slice(0, 300)}`,
    );
    if (hasChecked) strictEqual(exitCode, undefined);
    holds(!/"code": "internal"|internal error|\n {4}at /.test(said), said.slice(0, 500));
  },
};
