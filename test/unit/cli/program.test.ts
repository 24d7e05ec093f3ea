// The command tree as a user types it.
import { describe, expect, it } from 'vitest';
import type { CommandCall } from '../../../src/cli/command.ts';
import { parseArguments } from '../../../src/cli/parse.ts';
import { createProgram } from '../../../src/cli/program.ts';

async function parse(...argv: string[]): Promise<CommandCall[]> {
  const calls: CommandCall[] = [];
  const program = createProgram('1.0.0', [], async (call) => {
    calls.push(call);
  });
  await parseArguments(program, argv);
  return calls;
}

it('--quiet is for ids alone, not for JSON', async () => {
  expect(await parse('workspace', 'create', '-q')).toMatchObject([{ isQuiet: true, json: false }]);
  expect(await parse('workspace', 'create')).toMatchObject([{ isQuiet: false }]);
  expect(await parse('workspace', 'create', '-q', '--json')).toEqual([]);
});

describe('--json', () => {
  it.each([
    [['workspace', 'list', '--json'], true],
    [['workspace', '--json', 'list'], true],
    [['--json', 'workspace', 'list'], true],
    [['workspace', 'list'], false],
  ])('%j', async (argv, json) => {
    expect(await parse(...argv)).toMatchObject([{ operation: { definition: { name: 'workspace.list' } }, json }]);
  });
});
