// Any change of any tree survives the patch: applied by Git on the host, and applied by us in a guest.

import { isUtf8 } from 'node:buffer';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collectDiff } from '../../../src/changes/diff.ts';
import { exportTree } from '../../../src/changes/export.ts';
import { applyPatch } from '../../../src/changes/patch-apply.ts';
import { FakeGuestFiles, type FakeNode, type FakeTree, put, remove } from '../../support/fake-guest-files.ts';
import { describeFolder, describeTree, git, writeTree } from '../../support/host-tree.ts';
import { folderForAll } from '../../support/own-folder.ts';

const runs = process.env['PYRO_SOAK'] === '1' ? 200 : 20;
const context = { signal: new AbortController().signal };
let work: string;

folderForAll('changes-', (folder) => {
  work = folder;
});

const utf8 = (text: string): string => Buffer.from(text).toString('latin1');
const names = [
  ...[
    'a',
    'b',
    'c',
    'd',
    'a b',
    ' lead',
    'trail ',
    'quo"te',
    'tab\there',
    'new\nline',
    '-dash',
    '*g[l]o?b',
    'back\\slash',
  ],
  ...['.gitattributes', '.gitignore', '#hash', '!bang', utf8('ünï→'), 'raw\xff\xfe', 'a => b', '{x', 'x\r', "it's"],
];
const pathArbitrary = fc
  .array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join('/'));

const line = fc.constantFrom(
  'one',
  'two',
  '',
  ' indented',
  '-minus',
  '+plus',
  '@@ -1 +1 @@',
  'diff --git a/x b/x',
  'From x',
  'ä',
  '-- ',
);
const textContent = fc
  .tuple(fc.array(line, { maxLength: 40 }), fc.constantFrom('\n', '\r\n'), fc.boolean())
  .map(([lines, end, isEnded]) => Buffer.from(lines.join(end) + (isEnded ? end : '')));
const content = fc.oneof(
  { weight: 5, arbitrary: textContent },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: textContent.map((text) => Buffer.concat([text, Buffer.from('caf\xe9\n', 'latin1')])) },
);
const fileNode = fc
  .tuple(content, fc.constantFrom(0o644, 0o755))
  .map(([bytes, mode]): FakeNode => ({ type: 'file', mode, content: bytes }));
const linkNode = fc
  .constantFrom('nowhere', '../none', '/proc/none', 'ü', '\xff\xfe', 'x y\n')
  .map((target): FakeNode => ({ type: 'symlink', mode: 0o777, content: Buffer.from(target, 'latin1') }));
const node = fc.oneof({ weight: 5, arbitrary: fileNode }, { weight: 1, arbitrary: linkNode });

type Edit =
  | { readonly do: 'put'; readonly path: string; readonly node: FakeNode }
  | { readonly do: 'remove' | 'chmod' | 'append' | 'nest' | 'flatten'; readonly pick: number }
  | { readonly do: 'move'; readonly pick: number; readonly path: string };
const pick = fc.nat(1000);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ do: fc.constant('put' as const), path: pathArbitrary, node }),
  fc.record({ do: fc.constantFrom('remove', 'chmod', 'append', 'nest', 'flatten'), pick }),
  fc.record({ do: fc.constant('move' as const), pick, path: pathArbitrary }),
);

function edited(tree: FakeTree, step: Edit): void {
  if (step.do === 'put') {
    put(tree, step.path, step.node);
    return;
  }
  const keys = [...tree.keys()].filter((key) => step.do === 'flatten' || tree.get(key)?.type !== 'directory');
  const key = keys[step.pick % Math.max(1, keys.length)];
  const known = key === undefined ? undefined : tree.get(key);
  if (key === undefined || known === undefined) return;
  if (step.do === 'remove') remove(tree, key);
  if (step.do === 'chmod' && known.type === 'file') put(tree, key, { ...known, mode: known.mode ^ 0o111 });
  if (step.do === 'append' && known.type === 'file')
    put(tree, key, { ...known, content: Buffer.concat([known.content, Buffer.from('more\n')]) });
  if (step.do === 'nest') {
    remove(tree, key);
    put(tree, `${key}/inner`, known);
  }
  if (step.do === 'flatten') put(tree, key, { type: 'file', mode: 0o644, content: Buffer.from('flat\n') });
  if (step.do === 'move') {
    remove(tree, key);
    put(tree, step.path, known);
  }
}

const change = fc
  .tuple(fc.array(fc.tuple(pathArbitrary, node), { maxLength: 12 }), fc.array(edit, { minLength: 1, maxLength: 10 }))
  .map(([nodes, edits]) => {
    const baseline: FakeTree = new Map();
    for (const [path, made] of nodes) put(baseline, path, made);
    const current: FakeTree = new Map(baseline);
    for (const step of edits) edited(current, step);
    return { baseline, current };
  });

describe('the diff of a workspace', () => {
  it('gives, applied to the seed by Git or by us, the workspace', async () => {
    await fc.assert(
      fc.asyncProperty(change, async ({ baseline, current }) => {
        const folder = mkdtempSync(join(work, 'run-'));
        const guest = new FakeGuestFiles(baseline, current);
        await using diff = await collectDiff(guest, { workFolder: folder }, context);
        const expected = describeTree(current);
        expect(diff.omitted).toEqual([]);
        expect(diff.changed).toBe(describeTree(baseline).join('\n') !== expected.join('\n'));
        const patch = await readFile(diff.patch?.file ?? '');
        expect(isUtf8(patch)).toBe(true);

        const exported = join(folder, 'exported');
        const request = {
          guestPath: '/workspace',
          outputPath: exported,
          isOverwrite: false,
          hasGit: false,
          hasIgnored: false,
        };
        await exportTree(guest, { ...request, format: 'files', workFolder: folder }, context);
        expect(describeFolder(exported)).toEqual(expected);
        if (!diff.changed) return;

        const seed = join(folder, 'seed');
        writeTree(seed, baseline);
        const applied = git(seed, 'apply', '--binary', diff.patch?.file ?? '');
        expect(applied.stderr.replaceAll(/^warning:.*\n/gm, '')).not.toContain('error');
        expect(applied.status).toBe(0);
        expect(describeFolder(seed)).toEqual(expected);

        const fresh = new FakeGuestFiles(baseline);
        const result = await applyPatch(fresh, { workFolder: folder, patch }, context);
        expect(result.changed).toBe(true);
        expect(describeTree(fresh.current)).toEqual(expected);
        rmSync(folder, { recursive: true, force: true });
      }),
      // Each run starts a dozen processes: a failure names its seed and is not shrunk.
      {
        numRuns: runs,
        endOnFailure: true,
        ...(process.env['PYRO_SEED'] === undefined ? {} : { seed: Number(process.env['PYRO_SEED']) }),
      },
    );
  }, 600_000);
});
