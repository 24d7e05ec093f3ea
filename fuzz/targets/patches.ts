// Patches of models and people in both grammars, and a guest's patch as it is shown.
import { ok as holds, strictEqual } from 'node:assert';
import { stripVTControlCharacters } from 'node:util';
import { editText } from '../../src/changes/envelope-edit.ts';
import { isEnvelope, parseEnvelope } from '../../src/changes/envelope-parse.ts';
import { quotePath, refusalOfGit, unquotePath } from '../../src/changes/git-paths.ts';
import { outlinePatch, PatchOutline, splitMails } from '../../src/changes/patch-parse.ts';
import { PatchView } from '../../src/cli/patch-view.ts';
import { envelopes, gitPatches } from '../examples.ts';
import { piecesOf, type Target, tolerate } from '../target.ts';

const gitWords = [
  'diff --git a/x b/x\n',
  '--- a/x\n+++ b/x\n',
  '--- /dev/null\n',
  '@@ -1 +1,2 @@\n',
  'rename from x\n',
  'rename to "y\\303\\244"\n',
  'copy from ',
  'new file mode 100644\n',
  'GIT binary patch\nliteral 3\n',
  'index 1234567..89abcde 100644\n',
  '\\ No newline at end of file\n',
  `From ${'a'.repeat(40)} Mon Sep 17 00:00:00 2001\n`,
];

export const gitPatch: Target = {
  examples: gitPatches,
  words: gitWords,
  // Names in headers that are tried at each space must show here.
  longest: 512 * 1024,
  run: (input) => {
    const text = input.toString('latin1');
    isEnvelope(text);
    const mails = splitMails(text);
    holds(mails.reduce((sum, mail) => sum + mail.length, 0) <= text.length);
    for (const mail of mails) {
      const outline = new PatchOutline();
      for (const file of outlinePatch(mail)) {
        for (const hunk of file.hunks) holds(hunk.patchLine > 0 && hunk.oldStart >= 0);
        outline.add(file);
      }
      tolerate(() => outline.strip);
      holds(typeof outline.hasNoContext === 'boolean');
    }
    const name = input.subarray(0, 4096);
    strictEqual(unquotePath(quotePath(name))?.name, name.toString('latin1'));
  },
};

const edited = 'one\ntwo\r\nthree\n\nfive';

export const envelope: Target = {
  examples: envelopes,
  words: [
    '*** Begin Patch\n',
    '*** End Patch\n',
    '*** Add File: ',
    '*** Update File: a\n',
    '*** Delete File: ',
    '*** Move to: ',
    '*** End of File\n',
    '@@ one\n',
    '@@\n',
    ' two\n',
    '-three\n',
    '+x\n',
  ],
  run: (input) => {
    for (const section of parseEnvelope(input.toString('latin1'))) {
      holds(refusalOfGit(section.path, false) === undefined);
      if (section.kind !== 'update') continue;
      if (section.moveTo !== undefined) holds(refusalOfGit(section.moveTo, false) === undefined);
      const result = editText(edited, section.hunks);
      holds(typeof result === 'string' || (result.hunk >= 1 && result.hunk <= section.hunks.length));
    }
  },
};

export const patchView: Target = {
  examples: gitPatches,
  words: [...gitWords, '\u001b[2J', '\u009b31m', '\u202e'],
  run: (input) => {
    const text = input.toString('utf8');
    const whole = shown(new PatchView(false), [text]);
    holds(!/[^\P{Cc}\n\t]|\p{Bidi_Control}/u.test(whole));
    strictEqual(shown(new PatchView(false), [...pieces(text)]), whole);
    // Our own colours are all that is added.
    strictEqual(stripVTControlCharacters(shown(new PatchView(true), [text])), whole);
  },
};

function shown(view: PatchView, parts: readonly string[]): string {
  return parts.map((part) => view.take(part)).join('') + view.end();
}

function* pieces(text: string): Generator<string> {
  let at = 0;
  for (const { length } of piecesOf(Buffer.from(text))) {
    yield text.slice(at, at + length);
    at += length;
  }
}
