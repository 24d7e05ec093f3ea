// The entries of a diff, pure: what Git found, what no patch can hold, and what Git does not see.
import { describe, expect, it } from 'vitest';
import type { ChangeSide } from '../../../src/agent/file-types.ts';
import { entriesOf } from '../../../src/changes/diff-entries.ts';
import type { ImportedTrees } from '../../../src/changes/import-trees.ts';
import { RawChange } from '../../../src/changes/raw-diff.ts';

const file = (mode = 0o644, size = 3): ChangeSide => ({ type: 'file', mode, size });
const link: ChangeSide = { type: 'symlink', mode: 0o777, size: 4 };
const folder: ChangeSide = { type: 'directory', mode: 0o755, size: 0 };
const device: ChangeSide = { type: 'other', mode: 0o600, size: 0 };

type Sides = readonly [before: ChangeSide | undefined, after: ChangeSide | undefined];

function treesOf(sides: Readonly<Record<string, Sides>>, withheld: readonly string[] = []): ImportedTrees {
  const paths = Object.entries(sides).map(
    ([key, [before, after]]) => [key, { before, after, isText: true, isPlainlyBinary: false }] as const,
  );
  return { paths: new Map(paths), omitted: [], withheld: new Set(withheld) };
}

function change(letter: string, key: string, facts: Partial<RawChange> = {}): RawChange {
  const raw = new RawChange({
    letter,
    oldKey: facts.oldKey ?? key,
    key,
    oldMode: facts.oldMode ?? '100644',
    newMode: facts.newMode ?? '100644',
    oldBlob: facts.oldBlob ?? 'a',
    newBlob: facts.newBlob ?? 'b',
  });
  raw.lines = facts.lines;
  return raw;
}

/** What an entry has unless a case says otherwise. */
const plain = {
  path: 'f',
  status: 'modified',
  artifact_type: 'file',
  old_path: null,
  old_mode: '100644',
  new_mode: '100644',
  additions: null,
  deletions: null,
  is_binary: true,
  left_out_bytes: null,
};

describe('what Git found', () => {
  it.each<[string, RawChange, Sides, object]>([
    ['content', change('M', 'f'), [file(), file()], {}],
    [
      'lines',
      change('M', 'f', { lines: { added: 2, deleted: 1 } }),
      [file(), file()],
      { additions: 2, deletions: 1, is_binary: false },
    ],
    [
      'a mode alone',
      change('M', 'f', { newBlob: 'a' }),
      [file(), file(0o755)],
      { status: 'mode_changed', new_mode: '100755' },
    ],
    ['something new', change('A', 'f'), [undefined, file()], { status: 'added', old_mode: null }],
    [
      'a new link',
      change('A', 'f', { newMode: '120000' }),
      [undefined, link],
      { status: 'added', old_mode: null, new_mode: '120000', artifact_type: 'symlink' },
    ],
    [
      'something gone',
      change('D', 'f', { newMode: '120000' }),
      [file(), undefined],
      { status: 'deleted', new_mode: null },
    ],
    ['a file in place of a folder', change('A', 'f'), [folder, file()], { status: 'added', old_mode: null }],
    ['a folder in place of a file', change('D', 'f'), [file(), folder], { status: 'deleted', new_mode: null }],
    [
      'a link that is gone',
      change('D', 'f', { oldMode: '120000' }),
      [link, undefined],
      { status: 'deleted', old_mode: '120000', new_mode: null, artifact_type: 'symlink' },
    ],
    [
      'a link in place of a file',
      change('T', 'f', { newMode: '120000' }),
      [file(), link],
      { status: 'type_changed', new_mode: '120000', artifact_type: 'symlink' },
    ],
  ])('is told: %s', (_name, raw, sides, expected) => {
    const { entries, inPatch } = entriesOf([raw], treesOf({ f: sides }));
    expect(entries).toEqual([{ ...plain, ...expected }]);
    expect([...inPatch]).toEqual(entries);
  });

  it('is told of a rename by both names', () => {
    const trees = treesOf({ old: [file(0o600), undefined], f: [undefined, file()] });
    const { entries } = entriesOf([change('R', 'f', { oldKey: 'old' })], trees);
    expect(entries).toEqual([{ ...plain, status: 'renamed', old_path: 'old', old_mode: '100600' }]);
  });

  it('is in the order of the paths', () => {
    const trees = treesOf({ b: [file(), file()], a: [file(), file()], c: [device, file()] });
    const { entries } = entriesOf([change('M', 'b'), change('M', 'a')], trees);
    expect(entries.map(({ path }) => path)).toEqual(['a', 'b', 'c']);
  });
});

describe('what no patch can hold', () => {
  const beside = { ...plain, is_binary: false };

  it.each<[string, Sides, object]>([
    [
      'a new device',
      [undefined, device],
      { status: 'added', artifact_type: 'other', old_mode: null, new_mode: '000600' },
    ],
    [
      'a device that is gone',
      [device, undefined],
      { status: 'deleted', artifact_type: 'other', old_mode: '000600', new_mode: null },
    ],
    [
      'a device in place of a file',
      [file(), device],
      { status: 'type_changed', artifact_type: 'other', new_mode: '000600' },
    ],
    [
      'a link in place of a device',
      [device, link],
      { status: 'type_changed', artifact_type: 'symlink', old_mode: '000600', new_mode: '120000' },
    ],
    [
      'a device in place of a folder',
      [folder, device],
      { status: 'added', artifact_type: 'other', old_mode: '040755', new_mode: '000600' },
    ],
    [
      'a folder in place of a device',
      [device, folder],
      { status: 'deleted', artifact_type: 'other', old_mode: '000600', new_mode: '040755' },
    ],
  ])('is told beside it: %s', (_name, sides, expected) => {
    // Git has the other side of it, which is no change of its own.
    const { entries, inPatch } = entriesOf([change('D', 'f')], treesOf({ f: sides }));
    expect(entries).toEqual([{ ...beside, ...expected }]);
    expect(inPatch.size).toBe(0);
  });

  it.each<[string, Sides, object]>([
    ['content', [file(0o644, 9), file(0o644, 7)], { left_out_bytes: 7 }],
    ['another mode alone', [file(), file(0o755)], { status: 'mode_changed', new_mode: '100755', left_out_bytes: 3 }],
    ['a mode and a size', [file(), file(0o755, 4)], { new_mode: '100755', left_out_bytes: 4 }],
    ['a file in place of a link', [link, file(0o644, 4)], { old_mode: '120000', left_out_bytes: 4 }],
    ['a new one', [undefined, file()], { status: 'added', old_mode: null, left_out_bytes: 3 }],
    ['one that is gone', [file(0o644, 8), undefined], { status: 'deleted', new_mode: null, left_out_bytes: 8 }],
    ['one in place of a folder', [folder, file()], { status: 'added', old_mode: '040755', left_out_bytes: 3 }],
    [
      'a folder in its place',
      [file(), folder],
      { status: 'deleted', artifact_type: 'other', new_mode: '040755', left_out_bytes: 0 },
    ],
    ['as it was, for all that is known', [file(), file()], { left_out_bytes: 3 }],
  ])('is told with its size when it is too large to look into: %s', (_name, sides, expected) => {
    const { entries, inPatch } = entriesOf([], treesOf({ f: sides }, ['f']));
    expect(entries).toEqual([{ ...beside, ...expected }]);
    expect(inPatch.size).toBe(0);
  });

  it('does not hide a rename to its path', () => {
    const trees = treesOf({ old: [file(), undefined], f: [device, file()] });
    const { entries } = entriesOf([change('R', 'f', { oldKey: 'old' })], trees);
    expect(entries.map(({ path, status }) => [path, status])).toContainEqual(['f', 'renamed']);
  });
});

describe('permissions that Git does not see', () => {
  const told = (sides: Sides, raw: readonly RawChange[] = []) =>
    entriesOf(raw, treesOf({ f: sides })).entries.map(({ status, is_binary }) => [status, is_binary]);

  it('are told alone', () => {
    expect(told([file(), file(0o600)])).toEqual([['mode_changed', false]]);
    expect(told([file(0o755), file(0o711)])).toEqual([['mode_changed', false]]);
  });

  it.each<[string, Sides]>([
    ['the same ones', [file(), file()]],
    ['one that Git sees', [file(), file(0o755)]],
    ['those of links', [link, { ...link, mode: 0o755 }]],
    ['those of folders', [folder, { ...folder, mode: 0o700 }]],
    ['a link in place of a file', [file(), link]],
    ['something new', [undefined, file()]],
    ['something gone', [file(), undefined]],
  ])('are not told for %s', (_name, sides) => {
    expect(told(sides)).toEqual([]);
  });

  it('are not told twice', () => {
    expect(told([file(), file(0o600)], [change('M', 'f')])).toEqual([['modified', true]]);
  });
});
