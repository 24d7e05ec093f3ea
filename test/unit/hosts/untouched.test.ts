// What is not ours in a configuration stays to the byte, whatever people have written: random texts in, out, and in again.
import fc from 'fast-check';
import { parse as parseJsonc } from 'jsonc-parser';
import { describe, expect, it } from 'vitest';
import { jsonEditor } from '../../../src/hosts/json-edit.ts';
import { tomlEditor } from '../../../src/hosts/toml-edit.ts';
import { jsonText, tomlText } from '../../support/random-config.ts';

const path = ['servers', 'pyro'];
const fields = { type: 'local', command: ['/opt/pyro', 'mcp', 'serve'], enabled: true };
const others = { type: 'local', command: ['/opt/new', 'mcp', 'serve', '--mode', 'inspect'], timeout: 60 };

/** Words and comments, without the blanks between them. */
function dense(text: string): string {
  return text.replaceAll(
    /("(?:[^"\\]|\\.)*"|\/\/[^\r\n]*|\/\*[\s\S]*?\*\/)|\s+/g,
    (_, kept: string | undefined) => kept ?? '',
  );
}

describe.each(['json', 'jsonc'] as const)('%s', (format) => {
  const editor = jsonEditor(format);
  const before = jsonText(format === 'jsonc').filter((text) => editor.faultOf(text) === undefined);

  it('gets our entry, and loses it again, without another byte', () => {
    fc.assert(
      fc.property(before, (text) => {
        const added = editor.setFields(text, path, fields);
        expect(editor.faultOf(added)).toBeUndefined();
        const data = parseJsonc(text);
        expect(parseJsonc(added)).toEqual({ ...data, servers: { ...data.servers, pyro: fields } });
        const changed = editor.setFields(added, path, { ...others, enabled: undefined });
        expect(editor.faultOf(changed)).toBeUndefined();
        expect(parseJsonc(changed)).toEqual({ ...data, servers: { ...data.servers, pyro: others } });
        expect(changed.includes('\n') && text.includes('\r\n') ? changed.replaceAll('\r\n', '') : '').not.toContain(
          '\n',
        );
        for (const each of [added, changed]) {
          const removed = editor.removeEntry(each, path);
          expect(dense(removed)).toBe(dense(text));
          expect(editor.faultOf(removed)).toBeUndefined();
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('toml', () => {
  const sound = tomlText.filter((text) => tomlEditor.faultOf(text) === undefined);
  const ended = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}${eolOf(text)}`);
  const eolOf = (text: string): string => (text.includes('\r\n') ? '\r\n' : '\n');

  it('gets our entry, and loses it again, without another byte', () => {
    fc.assert(
      fc.property(sound, (text) => {
        const without = tomlEditor.removeEntry(text, path);
        expect(tomlEditor.valueAt(without, path)).toBeUndefined();
        const old = Object(tomlEditor.valueAt(text, path));
        const added = tomlEditor.setFields(text, path, fields);
        expect(tomlEditor.valueAt(added, path)).toEqual({ ...old, ...fields });
        const changed = tomlEditor.setFields(added, path, { ...others, enabled: undefined });
        const { enabled: _, ...rest } = old;
        expect(tomlEditor.valueAt(changed, path)).toEqual({ ...rest, ...others });
        for (const each of [added, changed]) {
          const removed = tomlEditor.removeEntry(each, path);
          expect(ended(removed)).toBe(ended(without));
          if (text.includes('\r\n')) expect(each.replaceAll('\r\n', '')).not.toContain('\n');
        }
      }),
      { numRuns: 300 },
    );
  });
});
