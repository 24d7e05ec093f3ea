// Random configuration files as people leave them: comments anywhere, odd blanks, trailing commas, both line ends.
import fc from 'fast-check';

const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,6}$/).filter((text) => text !== 'pyro');
const text = fc.oneof(
  word,
  fc.constantFrom('// no', '/* no', '*.{ts,}', 'a"b', 'back\\slash', 'ünï', '#', '[servers.pyro]'),
);
const scalar = fc.oneof(
  text.map((value) => JSON.stringify(value)),
  fc.constantFrom('1', '1.0', '12345678901234567890', '-2e3', 'true', 'null', '"\\u00e4"'),
);

interface Layout {
  readonly eol: string;
  readonly hasComments: boolean;
}

/** Blanks between two words, with comments in them where the format has any. */
function gap({ eol, hasComments }: Layout): fc.Arbitrary<string> {
  const parts = ['', ' ', '\t', '  ', eol, `${eol}  `, `${eol}\t`];
  if (hasComments) parts.push(' /* c "x */ ', `// d, } "${eol}`, ` /* e${eol} f */`);
  return fc.array(fc.constantFrom(...parts), { maxLength: 2 }).map((pieces) => pieces.join(''));
}

function member(layout: Layout, name: string, value: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const blank = gap(layout);
  return fc.tuple(blank, blank, blank, value, blank).map(([a, b, c, body, d]) => `${a}"${name}"${b}:${c}${body}${d}`);
}

function object(layout: Layout, members: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const trailing = layout.hasComments ? fc.boolean() : fc.constant(false);
  return fc
    .tuple(fc.array(members, { maxLength: 3 }), trailing, gap(layout))
    .map(([all, isTrailing, end]) => `{${all.join(',')}${isTrailing && all.length > 0 ? ',' : ''}${end}}`);
}

/** A text with a table `servers`; `table` is that object alone. */
export function jsonText(hasComments: boolean): fc.Arbitrary<string> {
  return fc.constantFrom('\n', '\r\n').chain((eol) => {
    const layout = { eol, hasComments };
    const any = word.chain((name) => member(layout, name, scalar));
    const server = word.chain((name) => member(layout, name, object(layout, any)));
    const servers = member(layout, 'servers', object(layout, server));
    const list = word.chain((name) =>
      member(
        layout,
        `l${name}`,
        gap(layout).map((blank) => `[1,${blank}2]`),
      ),
    );
    return fc
      .tuple(fc.array(fc.oneof(any, list), { maxLength: 3 }), servers, fc.array(any, { maxLength: 2 }), gap(layout))
      .map(([before, own, after, end]) => `{${[...before, own, ...after].join(',')}${end}}${eol}`);
  });
}

const tomlPairs = [
  'a = 1 # one',
  'b.c = "x" # dotted',
  '"quoted key" = "# no comment"',
  "lit = 'C:\\path'",
  'note = """\n[servers.pyro]\ncommand = "no" \\"""\n""" # long',
  "raw = '''\n[servers]\n'''''",
  'list = [\n  ["a"],\n  # in it\n  ["b"] ,\n]',
  'when = 1979-05-27 07:32:00',
  '  indented.deep.key = { x = [1, 2], "y z" = {} }',
  'ü = 1'.replace('ü', '"ü"'),
];
const tomlTables = [
  '[other]',
  '[ other . "sub table" ] # spaced',
  '[[list-of]]',
  '  [[ list-of ]] # again',
  '[servers]',
  '[servers.one] # why',
  '[servers.one.env]',
  '[servers."with space"]',
  '# [servers.pyro] off',
];
/** Ways in which our own entry may stand there. */
const tomlOwn = [
  '[servers.pyro]\ncommand = "old" # c\n# in it\nenabled = false\n[servers.pyro.env]\nA = "b" # why',
  '[servers.pyro.env]\nA = "b"\n[servers.pyro]\ncommand = "old"',
  '[servers]\npyro = { command = "old" } # ours',
  '[servers]\npyro.command = "old" # ours\npyro.args = [\n "x" ]',
  '["servers".\'pyro\']\ncommand = "old"',
];
const tomlRoots = [
  '',
  'servers = { one = { command = "x" } } # all\n',
  'servers = {}\n',
  'servers.one.command = "x" # a\n',
  'servers.pyro.command = "old"\nservers.one = { command = "x" }\n',
  'servers = { pyro = { command = "old" }, one = { a = 1 } }\n',
  'servers = { one = { a = 1 }, pyro.command = "old" }\n',
];

/** A TOML text with or without an entry of ours; not each of them is sound. */
export const tomlText: fc.Arbitrary<string> = fc
  .record({
    root: fc.constantFrom(...tomlRoots),
    lead: fc.subarray(tomlPairs),
    parts: fc.array(
      fc.tuple(fc.constantFrom(...tomlTables, ...tomlOwn), fc.subarray(tomlPairs, { maxLength: 2 }), fc.boolean()),
      { maxLength: 4 },
    ),
    isDos: fc.boolean(),
    end: fc.constantFrom('\n', '', '\n\n', '\n# the end\n', '\n# no end'),
  })
  .map(({ root, lead, parts, isDos, end }) => {
    const tables = parts.flatMap(([table, pairs, isApart]) => [
      ...(isApart ? ['', '# about it'] : []),
      table,
      ...pairs,
    ]);
    const text = root + [...lead, ...tables].join('\n') + end;
    return isDos ? text.replaceAll('\n', '\r\n') : text;
  });
