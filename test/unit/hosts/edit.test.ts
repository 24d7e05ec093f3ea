// Edits of configuration texts: our entry says what it should, every other value and comment stays.
import fc from 'fast-check';
import { parse as parseJsonc } from 'jsonc-parser';
import { parse as parseToml, stringify as stringifyToml } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { jsonEditor } from '../../../src/hosts/json-edit.ts';
import { diffText } from '../../../src/hosts/text-diff.ts';
import { tomlEditor } from '../../../src/hosts/toml-edit.ts';

const fields = { command: '/opt/pyro', args: ['mcp', 'serve'], timeout: 60 };
const name = fc.stringMatching(/^[a-z][\w-]{0,8}$/).filter((text) => text !== 'pyro' && text !== '__proto__');
const server = fc.record({
  command: fc.string({ unit: 'binary-ascii' }),
  args: fc.array(fc.string(), { maxLength: 3 }),
});
const servers = fc.dictionary(name, server, { maxKeys: 4 });
const settings = fc.dictionary(
  name.filter((text) => text !== 'servers'),
  fc.oneof(fc.string(), fc.integer(), fc.boolean()),
  { maxKeys: 4 },
);

describe('JSON', () => {
  const path = ['servers', 'pyro'];
  const layouts = fc.constantFrom(0, 2, 4, '\t');

  it('keeps all that is not ours, for any content and layout', () => {
    fc.assert(
      fc.property(settings, servers, layouts, (one, two, indent) => {
        const text = JSON.stringify({ ...one, servers: two }, null, indent);
        const after = jsonEditor('json').setFields(text, path, fields);
        expect(JSON.parse(after)).toEqual({ ...one, servers: { ...two, pyro: fields } });
        expect(jsonEditor('json').setFields(after, path, fields)).toBe(after);
        expect(JSON.parse(jsonEditor('json').removeEntry(after, path))).toEqual({ ...one, servers: two });
      }),
    );
  });

  it('puts back a comma that is missing, whichever it is, and takes away one too many', () => {
    fc.assert(
      fc.property(settings, servers, fc.nat(), (one, two, seed) => {
        const whole = { ...one, servers: two, last: 1 };
        const text = `// mine\n${JSON.stringify(whole, null, 2)}\n`;
        const ends = [...text.matchAll(/,(?=\n)/g)].map(({ index }) => index);
        const at = ends[seed % ends.length] ?? 0;
        const broken = `${text.slice(0, at)} // gone${text.slice(at + 1)}`;
        expect(parseJsonc(jsonEditor('jsonc').mend(broken, path) ?? '')).toEqual(whole);
        const doubled = `${text.slice(0, at)},${text.slice(at)}`;
        expect(parseJsonc(jsonEditor('jsonc').mend(doubled, path) ?? '')).toEqual(whole);
      }),
    );
  });

  it('closes a text that was cut off, but does not guess where a bracket in the middle belongs', () => {
    const whole = { a: { b: { c: 1 }, d: 2 }, e: [1, 2] };
    const text = JSON.stringify(whole, null, 2);
    const mend = (broken: string): unknown => {
      const mended = jsonEditor('json').mend(broken, path);
      return mended === undefined ? undefined : JSON.parse(mended);
    };
    expect(mend(text.slice(0, text.lastIndexOf('\n')))).toEqual(whole);
    expect(mend(text.replace('    },\n', '    ,\n'))).toBeUndefined();
    expect(mend(text.replace('  },\n', ''))).toBeUndefined();
    expect(mend(`${text}\n}`)).toEqual(whole);
  });

  it('takes the earlier of two entries of one name away, and nothing between them', () => {
    const text = '{"servers": {"pyro": {"command": "a"}, "between": 1, "pyro": {"command": "b"}}}';
    expect(jsonEditor('json').isRepeated(text, path)).toBe(true);
    expect(jsonEditor('json').mend(text, path)).toBe('{"servers": {"between": 1, "pyro": {"command": "b"}}}');
  });

  it.each([
    ['a comment on the line of the last member', '{\n  "a": 1 // about a\n}', '{\n  "a": 1, // about a\n  "servers"'],
    ['a comma at the start of a line', '{\n  "a": 1\n  , "b": 2 /* b */\n}', '"b": 2, /* b */\n  "servers"'],
    ['a trailing comma', '{\n  "a": 1,\n}', '{\n  "a": 1,\n  "servers"'],
    ['text that looks like a comment', '{\n  "a": "// no"\n}', '{\n  "a": "// no",\n  "servers"'],
  ])('goes behind %s', (_, text, expected) => {
    const after = jsonEditor('jsonc').setFields(text, path, fields);
    expect(after).toContain(expected);
    expect(parseJsonc(after)).toMatchObject({ servers: { pyro: fields } });
  });

  it('refuses a table that is none', () => {
    expect(() => jsonEditor('json').setFields('{"servers": []}', path, fields)).toThrow('servers is not an object');
  });
});

describe('TOML', () => {
  const path = ['servers', 'pyro'];

  it('keeps every byte that is not ours, and all values, for any content', () => {
    fc.assert(
      fc.property(settings, servers, (one, two) => {
        const text = `# mine\n${stringifyToml({ ...one, servers: two })}# the end\n`;
        const after = tomlEditor.setFields(text, path, fields);
        expect(after.startsWith(text)).toBe(true);
        expect(parseToml(after)).toEqual({ ...parseToml(text), servers: { ...two, pyro: fields } });
        expect(tomlEditor.setFields(after, path, fields)).toBe(after);
        expect(tomlEditor.removeEntry(after, path).trimEnd()).toBe(text.trimEnd());
      }),
    );
  });

  it.each([
    [
      'a table of its own',
      '[servers.pyro]\ncommand = "x" # why\n\n[servers.pyro.env]\nA = "1"\n\n# about z\n[z]\nq = 1\n',
      ['# why', '# about z\n[z]', 'A = "1"'],
    ],
    ['quoted names', '["servers"."pyro"] # ours\ncommand = "x"\n', ['["servers"."pyro"] # ours']],
    [
      'an inline table',
      '[servers]\npyro = { command = "x" } # ours\nother = { command = "o" }\n',
      ['# ours', 'other = { command = "o" }'],
    ],
    ['dotted keys', 'servers.other.command = "o" # other\nservers.pyro.command = "x"\n', ['# other']],
    [
      'its parts before it',
      '[servers.pyro.env]\nA = "1"\n[servers.pyro]\ncommand = "x"\n[z]\nq = 1\n',
      ['A = "1"', '[z]\nq = 1'],
    ],
  ])('edits an entry written as %s', (_, text, kept) => {
    const before = parseToml(text);
    const after = tomlEditor.setFields(text, path, fields);
    for (const part of kept) expect(after).toContain(part);
    expect(parseToml(after)).toEqual({
      ...before,
      servers: { ...Object(before['servers']), pyro: { ...Object(Object(before['servers'])['pyro']), ...fields } },
    });
  });

  it('leaves text alone that only looks like a table', () => {
    const text = 'note = """\n[servers.pyro]\ncommand = "x"\n"""\n';
    const after = tomlEditor.setFields(text, path, fields);
    expect(parseToml(after)).toEqual({ ...parseToml(text), servers: { pyro: fields } });
  });

  it('takes only what JSON takes for blanks', () => {
    expect(jsonEditor('json').faultOf('\u000b')).toBeDefined();
    expect(jsonEditor('json').faultOf(' \r\n')).toBeUndefined();
  });

  it('tells a text that is nested without an end, and does not mend it', () => {
    for (const text of ['['.repeat(9000), `${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`]) {
      expect(jsonEditor('jsonc').faultOf(text)).toMatchObject({ message: 'nested more than 500 levels deep' });
      expect(jsonEditor('jsonc').mend(text, path)).toBeUndefined();
    }
  });

  it('refuses to edit what its library takes only as a whole', () => {
    const text = 's={e={c="x"""""},o={d=""}}';
    expect(tomlEditor.faultOf(text)).toBeUndefined();
    const edit = (): string => tomlEditor.setFields(text, ['s', 'pyro'], { command: 'x' });
    expect(edit).toThrow(expect.objectContaining({ code: 'host_config_invalid' }));
  });

  it('takes a date in its own table for no table', () => {
    const changed = tomlEditor.setFields('[servers.pyro.v]\nA=1979-05-27', ['servers', 'pyro'], { command: 'x' });
    expect(changed).toMatch(/^A ?= ?1979-05-27$/m);
    expect(tomlEditor.faultOf(changed)).toBeUndefined();
  });

  it('mends its own table beside an inline one with a text that can be read', () => {
    const mended = tomlEditor.mend('servers={e={c=""}}\n[servers.pyro.]', ['servers', 'pyro']);
    expect(mended === undefined || tomlEditor.faultOf(mended) === undefined).toBe(true);
    expect(mended).toContain('servers={e={c=""}');
  });

  it('mends its own table and gives up on any other', () => {
    const broken =
      '[servers.other]\ncommand = "o" # other\n\n[servers.pyro]\ncommand = \nkeep = true\n\n[servers.pyro.env]\nA = "1"\n';
    const mended = tomlEditor.mend(broken, path) ?? '';
    expect(mended).toContain('command = "o" # other');
    expect(parseToml(mended)).toEqual({ servers: { other: { command: 'o' }, pyro: { keep: true, env: { A: '1' } } } });
    expect(tomlEditor.mend(broken.replace('"o"', '"o'), path)).toBeUndefined();
  });
});

describe('the diff', () => {
  it('shows a line as changed only when it is', () => {
    const lines = ['a', 'b', 'c', 'd', 'e', 'f'].join('\n');
    expect(diffText('/f', `${lines}\n`, `${lines.replace('b', 'B').replace('e', 'E')}\n`)).toBe(
      '--- /f\n+++ /f\n@@ -1,6 +1,6 @@\n a\n-b\n+B\n c\n d\n-e\n+E\n f\n',
    );
    expect(diffText('/f', lines, lines)).toBe('');
  });
});
