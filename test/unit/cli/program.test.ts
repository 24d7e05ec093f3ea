// The command tree as a user types it.
import { describe, expect, it } from 'vitest';
import { type CommandCall, withRest } from '../../../src/cli/command.ts';
import { parseArguments } from '../../../src/cli/parse.ts';
import { createProgram } from '../../../src/cli/program.ts';

async function parse(...line: string[]): Promise<CommandCall[]> {
  const at = line.indexOf('--');
  const [argv, rest] = at < 0 ? [line, []] : [line.slice(0, at), line.slice(at + 1)];
  const calls: CommandCall[] = [];
  const program = createProgram('1.0.0', rest.length > 0, async (call) => {
    calls.push(withRest(call, rest));
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

describe('short names', () => {
  it.each([
    ['ps', 'workspace.list'],
    ['create', 'workspace.create'],
    ['diff', 'workspace.diff'],
    ['apply', 'workspace.apply'],
    ['logs', 'workspace.logs'],
    ['sh', 'workspace.shell.attach'],
    ['start', 'workspace.start'],
    ['stop', 'workspace.stop'],
  ])('%s is %s, with its options', async (short, name) => {
    expect(await parse(short, '--json')).toMatchObject([{ operation: { definition: { name } }, json: true }]);
  });

  it('cp takes the workspace out of its places', async () => {
    expect(await parse('cp', 'bug:a', '.')).toMatchObject([
      { input: { workspace_id: 'bug', source: ':a', target: '.' }, isWorkspaceOpen: false },
    ]);
    const [here] = await parse('cp', 'a', ':');
    expect(here).toMatchObject({ input: { source: 'a', target: ':' }, isWorkspaceOpen: true });
    expect(here?.input).not.toHaveProperty('workspace_id');
    expect(await parse('cp', 'bug:a')).toEqual([]);
  });

  it('take what stands after --', async () => {
    const input = { workspace_id: 'bug', command: 'make test' };
    expect(await parse('exec', 'bug', '--', 'make', 'test')).toMatchObject([{ input, isWorkspaceOpen: false }]);
  });
});

describe('the workspace', () => {
  it('is open where none is named', async () => {
    const [exec] = await parse('exec', '--', 'make');
    expect(exec).toMatchObject({ input: { command: 'make' }, isWorkspaceOpen: true });
    expect(exec?.input).not.toHaveProperty('workspace_id');
  });

  it('is the first of the words, unless there are only those that the command demands', async () => {
    const read = ['workspace', 'file', 'read'];
    expect(await parse(...read, 'a.txt')).toMatchObject([{ input: { path: 'a.txt' }, isWorkspaceOpen: true }]);
    expect(await parse(...read, 'bug', 'a.txt')).toMatchObject([
      { input: { workspace_id: 'bug', path: 'a.txt' }, isWorkspaceOpen: false },
    ]);
    expect(await parse('diff', 'bug')).toMatchObject([{ input: { workspace_id: 'bug' }, isWorkspaceOpen: false }]);
  });

  it('must be named where it is deleted', async () => {
    expect(await parse('rm')).toEqual([]);
  });

  it('may be several, each once', async () => {
    expect(await parse('rm', 'a', 'b', 'a')).toMatchObject([{ several: ['a', 'b'], isWorkspaceOpen: false }]);
    expect(await parse('rm', 'a')).toMatchObject([{ several: [], input: { workspace_id: 'a' } }]);
    expect(await parse('stop')).toMatchObject([{ several: [], isWorkspaceOpen: true }]);
  });
});
