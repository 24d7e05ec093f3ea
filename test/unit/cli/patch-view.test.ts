// What a terminal gets of a patch.
import { expect, it } from 'vitest';
import { PatchView } from '../../../src/cli/patch-view.ts';

const patch = [
  'diff --git a/a b/a',
  `index ${'1'.repeat(40)}..${'2'.repeat(40)} 100644`,
  '--- a/a',
  '+++ b/a',
  '@@ -1,2 +1,2 @@ here',
  ' same',
  '--- a/not a header',
  '+++ b/nor this',
  'diff --git a/b b/b',
  'new file mode 100644',
  'GIT binary patch',
  'literal 3',
  'Kc$~{xyz',
  '',
  'literal 0',
  'HcmV?d00001',
  '',
  'diff --git a/c b/c',
  '--- a/c',
  '+++ b/c',
  '@@ -0,0 +1 @@',
  '+\u001b[2Jgone\ttab',
  '\\ No newline at end of file',
  '',
].join('\n');

function view(hasColours: boolean, size: number): string {
  const patchView = new PatchView(hasColours);
  let shown = '';
  for (let at = 0; at < patch.length; at += size) shown += patchView.take(patch.slice(at, at + size));
  return shown + patchView.end();
}

it('binary files are named, and what a guest wrote is no order to the terminal', () => {
  const shown = view(false, 7).split('\n');
  expect(shown).toContain('(a binary file; redirect to a pipe or a file to get its bytes)');
  expect(shown.join('\n')).not.toMatch(/literal|HcmV/);
  expect(shown).toContain('diff --git a/c b/c');
  expect(shown).toContain('+\\x1b[2Jgone\ttab');
  expect(shown.filter((line) => line.includes('not a header'))).toEqual(['--- a/not a header']);
});

it('lines are coloured by where they stand, however the patch is cut', () => {
  const shown = view(true, 5);
  expect(shown).toBe(view(true, 10_000));
  expect(shown).toContain('\u001b[31m--- a/not a header\u001b[39m');
  expect(shown).toContain('\u001b[32m+++ b/nor this\u001b[39m');
  expect(shown).toContain('\u001b[1m--- a/a\u001b[22m');
  expect(shown).toContain('\u001b[1mindex 1111111..2222222 100644\u001b[22m');
  expect(shown).toContain('\u001b[36m@@ -1,2 +1,2 @@ here\u001b[39m');
  expect(shown).toContain('\n same\n');
});
