// What a word means where a workspace is named.
import { describe, expect, it } from 'vitest';
import { findIn, stoppedError } from '../../../../src/engine/workspace/workspace-find.ts';
import { isPyroError } from '../../../../src/shared/errors.ts';

const all = [
  { id: '6f1e538c0e71', name: 'web' },
  { id: '6f1e00000000', name: null },
  { id: 'abcdef012345', name: 'twin' },
  { id: 'abc000000000', name: 'twin' },
  { id: '999999999999', name: 'abcdef012345' },
  { id: '888888888888', name: '6f' },
];

function failure(reference: string): unknown {
  try {
    return findIn(all, reference);
  } catch (error) {
    return error;
  }
}

describe('a workspace goes by', () => {
  it.each([
    ['its id', '6f1e00000000', '6f1e00000000'],
    ['a unique beginning', '6f1e5', '6f1e538c0e71'],
    ['a single character that is unique', '9', '999999999999'],
    ['its name', 'web', '6f1e538c0e71'],
    ['its id, also where another one has it for a name', 'abcdef012345', 'abcdef012345'],
    ['its name, also where ids begin so', '6f', '888888888888'],
  ])('%s', (_how, reference, id) => {
    expect(findIn(all, reference)).toBe(id);
  });
});

it('lists the workspaces that a beginning could mean', () => {
  const error = failure('6f1e');
  expect(isPyroError(error, 'workspace_ambiguous')).toBe(true);
  expect(error).toMatchObject({
    message: expect.stringContaining('6f1e538c0e71 (web), 6f1e00000000'),
    details: { candidates: ['6f1e538c0e71', '6f1e00000000'] },
  });
});

it('lists the workspaces of one name', () => {
  expect(failure('twin')).toMatchObject({
    code: 'workspace_ambiguous',
    details: { candidates: ['abcdef012345', 'abc000000000'] },
  });
});

it('shows few of many', () => {
  const many = Array.from({ length: 300 }, (_each, index) => ({ id: `a${index}`.padEnd(12, '0'), name: null }));
  try {
    findIn(many, 'a');
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ message: expect.stringMatching(/of 300 workspaces: (?:\w+, ){9}\w+ and 290 more$/) });
  }
});

it.each(['nothing', 'WEB', '6f1e538c0e710', ' ', '\u001b[2J'])('knows no %j', (reference) => {
  const error = failure(reference);
  expect(isPyroError(error, 'workspace_unknown')).toBe(true);
  expect(String(error)).not.toContain('\u001b');
});

describe('whoever named it wrong is told', () => {
  it.each([
    [
      'nothing',
      {
        code: 'workspace_unknown',
        message: 'there is no workspace "nothing"',
        hint: 'list them with: [[workspace.list]]',
      },
    ],
    ['x'.repeat(200), { code: 'workspace_unknown', message: `there is no workspace "${'x'.repeat(120)}"` }],
    [
      'twin',
      {
        message: '"twin" is the name of 2 workspaces: abcdef012345 (twin), abc000000000 (twin)',
        hint: 'use the full id of one of them',
      },
    ],
    ['6f1e', { message: '"6f1e" is the beginning of the id of 2 workspaces: 6f1e538c0e71 (web), 6f1e00000000' }],
  ])('%s', (reference, told) => {
    expect(failure(reference)).toMatchObject(told);
  });

  it('how a stopped one is started', () => {
    expect(stoppedError('6f1e00000000')).toMatchObject({
      code: 'workspace_stopped',
      message: 'workspace 6f1e00000000 was stopped',
      hint: 'start it with: [[workspace.start workspace_id=6f1e00000000]]',
    });
  });
});
