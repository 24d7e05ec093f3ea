// Patches that begin with `*** Begin Patch`, as models write them, into the fake guest; and those that must not get through.
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isEnvelope } from '../../../src/changes/envelope-parse.ts';
import { applyPatch } from '../../../src/changes/patch-apply.ts';
import { FakeGuestFiles, type FakeTree, file, link, treeOf } from '../../support/fake-guest-files.ts';
import { describeTree } from '../../support/host-tree.ts';
import { folderForEach } from '../../support/own-folder.ts';

const context = { signal: new AbortController().signal };
let work: string;

folderForEach('envelope-', (folder) => {
  work = folder;
});

async function apply(guest: FakeGuestFiles, patch: string) {
  return await applyPatch(guest, { workFolder: work, patch: Buffer.from(patch) }, context);
}

const wrap = (...lines: readonly string[]): string => ['*** Begin Patch', ...lines, '*** End Patch', ''].join('\n');
const update = (...lines: readonly string[]): string => wrap('*** Update File: a.py', ...lines);

describe('a patch in an envelope', () => {
  it('adds, deletes, updates and moves, and keeps what it does not name', async () => {
    const guest = new FakeGuestFiles(
      treeOf({
        'src/app.py': file('def greet():\n    print("Hi")\n', 0o755),
        'old.txt': file('bye\n'),
        'ü.txt': file('a\nb\n'),
        keep: file('k'),
      }),
    );
    const result = await apply(
      guest,
      wrap(
        '*** Add File: docs/new.md',
        '+# New',
        '+',
        '+text',
        '*** Update File: src/app.py',
        '*** Move to: src/main.py',
        '@@ def greet():',
        '-    print("Hi")',
        '+    print("Hello, wörld!")',
        '*** Delete File: old.txt',
        '*** Update File: /workspace/ü.txt',
        '@@',
        ' a',
        '-b',
        '+ä',
      ),
    );
    const expected: FakeTree = treeOf({
      'docs/new.md': file('# New\n\ntext\n'),
      'src/main.py': file('def greet():\n    print("Hello, wörld!")\n', 0o755),
      'ü.txt': file('a\nä\n'),
      keep: file('k'),
    });
    expect(describeTree(guest.current)).toEqual(describeTree(expected));
    expect(result.entries.map(({ path, status }) => `${status} ${path}`).sort()).toEqual([
      'added /workspace/docs/new.md',
      'added /workspace/src/main.py',
      'deleted /workspace/old.txt',
      'deleted /workspace/src/app.py',
      'modified /workspace/ü.txt',
    ]);
    expect(guest.unpacked).toHaveLength(1);
  });

  it('may change a file more than once, write over one, and move without a change', async () => {
    const guest = new FakeGuestFiles(treeOf({ 'a.py': file('1\n2\n', 0o755), b: file('b\n'), c: link('b') }));
    const patch = wrap(
      '*** Update File: a.py',
      '@@',
      '-1',
      '+one',
      '*** Update File: a.py',
      '@@',
      ' one',
      '-2',
      '+two',
      '*** Add File: a.py',
      '+whole',
      '*** Update File: b',
      '*** Move to: d/b',
      '*** Delete File: c',
    );
    await apply(guest, patch);
    const expected = treeOf({ 'a.py': file('whole\n', 0o755), 'd/b': file('b\n') });
    expect(describeTree(guest.current)).toEqual(describeTree(expected));
  });

  const heredoc = wrap('*** Add File: f', '+x').trimEnd();
  it.each([
    ['a heredoc', `<<'EOF'\n${heredoc}\nEOF\n`, 'f'],
    ['a heredoc of apply_patch', `apply_patch <<"PATCH"\n${heredoc}\nPATCH`, 'f'],
    ['a heredoc in a shell call', `bash -lc "apply_patch <<'EOF'\n${heredoc}\nEOF\n"`, 'f'],
    ['a folder before', `cd src/lib && apply_patch <<'EOF'\n${heredoc}\nEOF\n`, 'src/lib/f'],
    ['a fence', `\`\`\`diff\n${heredoc}\n\`\`\`\n`, 'f'],
    ['quotes', `apply_patch "${heredoc}"`.replace('Patch"', 'Patch\n"'), 'f'],
    ['white space', `\n  ${heredoc}  \n\n`, 'f'],
    ['CRLF', heredoc.replaceAll('\n', '\r\n'), 'f'],
    ['dots', heredoc.replace('File: f', 'File:  ./d//./f '), 'd/f'],
  ])('may stand in %s', async (_, patch, path) => {
    const guest = new FakeGuestFiles(treeOf({}));
    await apply(guest, patch);
    expect(describeTree(guest.current)).toEqual(describeTree(treeOf({ [path]: file('x\n') })));
  });

  it('is not what a diff of such a patch is', () => {
    expect(isEnvelope(`diff --git a/p b/p\n--- a/p\n+++ b/p\n@@ -1 +1 @@\n *** Begin Patch\n-a\n+b\n`)).toBe(false);
    expect(isEnvelope(heredoc)).toBe(true);
  });
});

describe('a patch in an envelope is refused, and nothing is changed', () => {
  async function refusal(nodes: FakeTree, patch: string): Promise<unknown> {
    const guest = new FakeGuestFiles(nodes);
    const error = await apply(guest, patch).catch((reason: unknown) => reason);
    expect(guest.unpacked).toEqual([]);
    expect(readdirSync(work)).toEqual([]);
    return error;
  }

  it('when one hunk of many does not fit, which it shows with the lines there', async () => {
    const text = Array.from({ length: 30 }, (_, at) => `line ${at + 1}\n`).join('');
    const patch = wrap(
      '*** Add File: new',
      '+x',
      '*** Update File: a.py',
      '@@',
      '-line 2',
      '+two',
      '@@',
      ' line 19',
      '-line twenty',
      '+20',
      ' line 21',
    );
    const error = await refusal(treeOf({ 'a.py': file(text) }), patch);
    expect(error).toMatchObject({ code: 'patch_failed', details: { path: 'a.py', hunk: 2, line: 19 } });
    expect(String(error)).toContain('hunk 2 of 2 (line 8 of the patch)');
    expect(String(error)).toContain('    20  line 20\n');
  });

  it.each<[string, FakeTree, string, string]>([
    ['a missing file', treeOf({}), update('@@', '-x', '+y'), 'patch_failed'],
    ['a missing file to delete', treeOf({}), wrap('*** Delete File: a.py'), 'patch_failed'],
    ['a folder to delete', treeOf({ 'a.py/x': file('x') }), wrap('*** Delete File: a.py'), 'patch_failed'],
    ['a link', treeOf({ 'a.py': link('b'), b: file('x\n') }), update('@@', '-x', '+y'), 'patch_failed'],
    ['a link to write over', treeOf({ 'a.py': link('b') }), wrap('*** Add File: a.py', '+x'), 'patch_failed'],
    ['what lies behind a link', treeOf({ l: link('/etc') }), wrap('*** Add File: l/passwd', '+x'), 'patch_failed'],
    ['a folder in place of a file', treeOf({ f: file('x') }), wrap('*** Add File: f/g', '+x'), 'patch_failed'],
    ['a file in place of a folder', treeOf({ 'f/g': file('x') }), wrap('*** Add File: f', '+x'), 'patch_failed'],
    ['a way out', treeOf({}), wrap('*** Add File: ../etc/passwd', '+x'), 'patch_invalid'],
    ['another folder', treeOf({}), wrap('*** Add File: /etc/passwd', '+x'), 'patch_invalid'],
    [
      'a folder before it that leads out',
      treeOf({}),
      `cd .. && apply_patch <<'E'\n${wrap('*** Add File: f', '+x')}E`,
      'patch_invalid',
    ],
    ["Git's folder", treeOf({}), wrap('*** Add File: .git/hooks/x', '+x'), 'patch_invalid'],
    ['no end', treeOf({}), '*** Begin Patch\n*** Add File: f\n+x\n', 'patch_invalid'],
    ['no section', treeOf({}), wrap(), 'patch_invalid'],
    ['an update without a change', treeOf({ 'a.py': file('x') }), update(), 'patch_invalid'],
    ['a hunk without lines', treeOf({ 'a.py': file('x') }), update('@@ x'), 'patch_invalid'],
    ['a line without a sign', treeOf({ 'a.py': file('x') }), update('@@', '-x', 'y'), 'patch_invalid'],
    [
      'other commands before it',
      treeOf({}),
      `rm -rf / && apply_patch <<'E'\n${wrap('*** Add File: f', '+x')}E`,
      'patch_invalid',
    ],
    ['lines behind it', treeOf({}), `${wrap('*** Add File: f', '+x')}rm -rf /\n`, 'patch_invalid'],
    ['too many lines', treeOf({}), wrap('*** Add File: f', '+\n'.repeat(400_001)), 'patch_invalid'],
  ])('%s', async (_, nodes, patch, code) => {
    expect(await refusal(nodes, patch)).toMatchObject({ code, hint: expect.stringContaining('nothing was changed') });
  });
});
