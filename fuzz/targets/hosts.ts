// Configuration files of chat hosts as people leave them: our entry comes and goes, and no other value changes.
import { ok as holds, deepStrictEqual as same } from 'node:assert';
import type { ConfigEditor } from '../../src/hosts/document.ts';
import { jsonEditor } from '../../src/hosts/json-edit.ts';
import { tomlEditor } from '../../src/hosts/toml-edit.ts';
import { hostJsonTexts, hostTomlTexts } from '../examples-hosts.ts';
import { type Target, tolerate } from '../target.ts';

const path = ['servers', 'pyro'];
const first = { type: 'local', command: ['/opt/pyro', 'mcp'], enabled: true };
const second = { command: ['/opt/new'], enabled: undefined, timeout: 60 };

/** What the file says besides our entry. */
function others(editor: ConfigEditor, text: string): unknown {
  const all: unknown = editor.valueAt(text, []);
  return without(all ?? {}, path);
}

function without(value: unknown, [name = '', ...rest]: readonly string[]): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const left = Object.entries(value).flatMap(([key, each]): [string, unknown][] => {
    if (key !== name) return [[key, each]];
    return rest.length === 0 ? [] : [[key, without(each, rest)]];
  });
  // A table that is there for our entry alone may go with it.
  return Object.fromEntries(left.filter(([, each]) => JSON.stringify(each, bigAsText) !== '{}'));
}

function bigAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}` : value;
}

/** Comments and everything else that is no blank. */
function dense(text: string): string {
  return text.replaceAll(/[\s,]+/g, '');
}

function check(editor: ConfigEditor, text: string): void {
  if (editor.faultOf(text) !== undefined) {
    const mended = tolerate(() => editor.mend(text, path));
    if (mended !== undefined) holds(editor.faultOf(mended) === undefined, 'mended, and still broken');
    return;
  }
  const rest = others(editor, text);
  const added = tolerate(() => editor.setFields(text, path, first));
  if (added === undefined) return;
  holds(editor.faultOf(added) === undefined, 'broken by an entry');
  same(others(editor, added), rest);
  same(pick(editor.valueAt(added, path), Object.keys(first)), first);
  same(editor.setFields(added, path, first), added, 'set twice');
  const changed = editor.setFields(added, path, second);
  holds(editor.faultOf(changed) === undefined, 'broken by a change');
  same(others(editor, changed), rest);
  const removed = editor.removeEntry(changed, path);
  holds(editor.faultOf(removed) === undefined, 'broken by a removal');
  same(others(editor, removed), rest);
  same(editor.valueAt(removed, path), undefined);
  // Where there was no entry, nothing of the text is lost.
  if (editor.valueAt(text, path) === undefined && editor.valueAt(text, ['servers']) !== undefined)
    same(dense(removed), dense(text));
}

function pick(value: unknown, names: readonly string[]): unknown {
  return Object.fromEntries(Object.entries(Object(value)).filter(([name]) => names.includes(name)));
}

const words = [
  '"servers":{',
  '"pyro":{',
  '// c\n',
  '/* c */',
  ',',
  '"__proto__":{}',
  '\r\n',
  '\t',
  '"command":["x"]',
  '}',
];
const editors = { json: jsonEditor('json'), jsonc: jsonEditor('jsonc') };

export const hostJson: Target = {
  examples: hostJsonTexts,
  words,
  longest: 8192,
  run: (input) => {
    for (const editor of Object.values(editors)) check(editor, input.toString('utf8'));
  },
};

export const hostToml: Target = {
  examples: hostTomlTexts,
  words: [
    '[servers]\n',
    '[servers.pyro]\n',
    '[servers."pyro"]\n',
    'servers.pyro.command = "x"\n',
    'pyro = {',
    '"""\n',
    "'''\n",
    '# c\n',
    '[[a]]\n',
    '__proto__ = 1\n',
    '\r\n',
  ],
  longest: 4096,
  run: (input) => check(tomlEditor, input.toString('utf8')),
};
