// What is there: the list with its filters and pages, the words that mean a workspace, names and labels that change.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createInput, type ListInput, listInput, updateInput } from '../../../../src/contract/workspaces.ts';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';

const obstacle = standInObstacle();
const manyCount = 200;
let engine: StandInEngine;
let first = '';

beforeAll(async () => {
  if (obstacle !== undefined) return;
  engine = await openStandInEngine();
  const request = createInput.parse({ ...createRequest, name: 'first', labels: { task: '42', owner: 'me' } });
  first = (await engine.workspaces().create(request, call())).workspace_id;
});
afterAll(async () => await engine?.[Symbol.asyncDispose]());

const test = it.skipIf(obstacle !== undefined);

async function list(request: Partial<ListInput> = {}) {
  return await engine.workspaces().list({ ...listInput.parse({}), ...request });
}

async function idsOf(request: Partial<ListInput> = {}): Promise<string[]> {
  return (await list(request)).workspaces.map((each) => each.workspace_id);
}

async function update(request: Omit<z.input<typeof updateInput>, 'workspace_id'>) {
  return await engine.workspaces().update(updateInput.parse({ workspace_id: first, ...request }), call());
}

describe('a story of one workspace, then many', { shuffle: false }, () => {
  test('the filters are the label, its value, and the state', async () => {
    for (const label of ['task', 'task=42', 'owner=me']) expect(await idsOf({ label })).toEqual([first]);
    for (const label of ['task=4', 'task=', 'tas', 'none']) expect(await idsOf({ label })).toEqual([]);
    expect(await idsOf({ state: 'started' })).toEqual([first]);
    expect(await idsOf({ state: 'stopped' })).toEqual([]);
    expect(await idsOf({ folder: '/' })).toEqual([]);
  });

  test('labels are added and taken away, a name is changed and taken away', async () => {
    expect(await update({ labels: { task: '43', more: '' }, clear_labels: ['owner', 'unknown'] })).toMatchObject({
      name: 'first',
      labels: { task: '43', more: '' },
    });
    expect(await update({ clear_name: true })).toMatchObject({ name: null, labels: { task: '43', more: '' } });
    expect(await update({ name: 'renamed', clear_labels: ['more'] })).toMatchObject({ name: 'renamed' });
    await engine.reopen();
    expect((await list()).workspaces).toMatchObject([{ name: 'renamed', labels: { task: '43' } }]);
  });

  test.each([
    [{ 'not a key': 'x' }, /labels: "not a key" is not a label key/],
    [{ [`k${'x'.repeat(64)}`]: 'x' }, /is not a label key/],
    [{ key: 'x'.repeat(121) }, /the value of key is longer than 120/],
    [{ key: 'two\nlines' }, /or has a line break/],
  ])('labels %j are refused, and change nothing', async (labels, message) => {
    await expect(update({ labels })).rejects.toThrow(message);
    const request = createInput.parse({ ...createRequest, labels });
    await expect(engine.workspaces().create(request, call())).rejects.toMatchObject({ code: 'usage' });
    expect((await list()).workspaces).toMatchObject([{ workspace_id: first, labels: { task: '43' } }]);
  });

  test('a name and the beginning of an id mean a workspace', async () => {
    for (const word of ['renamed', first, first.slice(0, 4)])
      expect((await exec(engine, word, 'true')).workspace_id).toBe(first);
    await expect(exec(engine, 'unheard-of', 'true')).rejects.toMatchObject({ code: 'workspace_unknown' });
  });

  test('two hundred are all listed, newest activity first, page by page, with those that cannot be read', async () => {
    await engine.workspaces().stop({ workspace_id: first }, call());
    const folder = join(engine.paths.state, 'workspaces');
    const record = z
      .record(z.string(), z.unknown())
      .parse(JSON.parse(readFileSync(join(folder, first, 'workspace.json'), 'utf8')));
    const idOf = (index: number): string => `ab${index.toString(16).padStart(10, '0')}`;
    for (let index = 0; index < manyCount; index++) {
      const id = idOf(index);
      mkdirSync(join(folder, id));
      // Several were used in the same second.
      const fields = { id, name: `n${index % 100}`, last_activity_at: 1000 + Math.floor(index / 3) };
      writeFileSync(join(folder, id, 'workspace.json'), JSON.stringify({ ...record, ...fields }));
    }
    // What cannot be read, what belongs to another, what was never finished or half deleted, and what is none.
    writeFileSync(join(folder, idOf(7), 'workspace.json'), 'no JSON');
    writeFileSync(join(folder, idOf(8), 'workspace.json'), JSON.stringify({ ...record, id: idOf(9) }));
    mkdirSync(join(folder, 'cd0000000000'));
    mkdirSync(join(folder, 'cd0000000001.deleted'));
    mkdirSync(join(folder, 'lost+found'));
    await engine.reopen();
    const seen: string[] = [];
    const pages: number[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await list({ limit: 60, ...(cursor === undefined ? {} : { cursor }) });
      expect(page.count).toBe(page.workspaces.length);
      pages.push(page.count);
      seen.push(...page.workspaces.map((each) => each.workspace_id));
      cursor = page.next_cursor;
    }
    expect(pages).toEqual([60, 60, 60, 21]);
    expect(seen).toHaveLength(new Set(seen).size);
    expect(seen.slice(0, 3)).toEqual([first, idOf(198), idOf(199)]);
    expect(seen.slice(-2)).toEqual([idOf(7), idOf(8)]);
    expect(await idsOf({ state: 'damaged' })).toEqual([idOf(7), idOf(8)]);
    const { workspaces } = await list({ limit: 500 });
    expect(workspaces.map((each) => each.workspace_id)).toEqual(seen);
  });

  test('a word that means several names them, and a cursor that is gone says so', async () => {
    const ambiguous = { code: 'workspace_ambiguous' };
    await expect(exec(engine, 'ab', 'true')).rejects.toMatchObject(ambiguous);
    await expect(exec(engine, 'n20', 'true')).rejects.toMatchObject({
      ...ambiguous,
      message: expect.stringMatching(/^"n20" is the name of 2 workspaces: ab0{10} \(n20\)|ab/),
    });
    await expect(list({ cursor: 'cd0000000000' })).rejects.toMatchObject({
      code: 'usage',
      hint: 'list again without a cursor',
    });
  });
});
