// Each stream, socket, server and child of src/ has somebody who hears of its failure: one that nobody hears ends the daemon.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
/** What they are made by */
const makers = new Set([
  'createReadStream',
  'createWriteStream',
  'spawn',
  'connect',
  'createConnection',
  'createServer',
]);
/** Where they are taken from; others of the name are our own */
const modules = ['node:fs', 'node:child_process', 'node:net', 'node:http', 'node:http2', 'node:tls'];
/** What hears of a failure: a listener, who reads or writes it to its end, or a program that it is the input of */
const hearers = /\.(?:on|once|prependListener)\('error'|\bpipeline\(|\bfinished\(|\bfor await \(|\{ input(?::| \})/;
/** Heard where they are handed to */
const handedOn: Readonly<Record<string, string>> = {
  'src/changes/lab-blobs.ts': 'the reader that is made of it reads at once, and closes it',
  'src/cli/standard-streams.ts': 'standard input is heard by who reads it, as it is where Node makes it',
  'src/daemon/autostart.ts': 'firstLine listens to what launch has started, in the same turn',
  'src/system/command.ts': 'start listens to what launch has started, in the same turn',
  'src/machine/qemu-process.ts': 'QemuProcess listens to what it is made of, in the same turn',
};

interface Maker {
  readonly place: string;
  readonly isHeard: boolean;
}

function makersIn(file: string, text: string): Maker[] {
  const names = new Set<string>();
  for (const [, list = '', from = ''] of text.matchAll(/^import \{([^}]*)\} from '([^']+)';$/gm)) {
    if (!modules.includes(from)) continue;
    for (const [, name = '', alias = name] of list.matchAll(/(\w+)(?: as (\w+))?/g))
      if (makers.has(name)) names.add(alias);
  }
  const calls = [...names].map((name) => String.raw`(?<![.\w]|async |function )${name}\(`);
  const making = new RegExp([...calls, String.raw`\.create(?:Read|Write)Stream\(`].join('|'));
  const lines = text.split('\n');
  return lines.flatMap((line, index) =>
    making.test(line) ? [{ place: `${file}:${index + 1}`, isHeard: hearers.test(bodyAround(lines, index)) }] : [],
  );
}

/** The function or method that a line stands in, by the indentation that all sources have. */
function bodyAround(lines: readonly string[], index: number): string {
  const outer = blockAround(lines, index, '');
  const isClass = /^(?:export )?class /.test(lines[outer.from] ?? '');
  const { from, to } = isClass ? blockAround(lines, index, '  ') : outer;
  return lines.slice(from, to + 1).join('\n');
}

function blockAround(lines: readonly string[], index: number, indent: string): { from: number; to: number } {
  const isStart = new RegExp(`^${indent}[^\\s})\\]]`);
  const isEnd = new RegExp(`^${indent}[})\\]]`);
  let from = index;
  while (from > 0 && !isStart.test(lines[from] ?? '')) from--;
  let to = index;
  while (to + 1 < lines.length && !isEnd.test(lines[to] ?? '')) to++;
  return { from, to };
}

it('each stream of src/ is heard by somebody', () => {
  const files = globSync('src/**/*.ts', { cwd: root });
  const all = files.flatMap((file) => makersIn(file, readFileSync(join(root, file), 'utf8')));
  expect(all.length).toBeGreaterThan(30);
  const unheard = all.filter(({ place, isHeard }) => !isHeard && !(place.replace(/:\d+$/, '') in handedOn));
  expect(unheard.map(({ place }) => place)).toEqual([]);
});

it('one that nobody hears is found', () => {
  const text = [
    "import { createWriteStream } from 'node:fs';",
    "import { connect as dial } from 'node:net';",
    'function bare(file: string) {',
    '  return createWriteStream(file);',
    '}',
    'async function heard(file: string) {',
    '  await pipeline(source, createWriteStream(file));',
    '}',
    'export class Each {',
    '  open() {',
    "    dial('/s').on('error', () => undefined);",
    '  }',
    '  shut() {',
    "    dial('/s');",
    '  }',
    '}',
    'async function whole(file: FileHandle) {',
    '  for await (const _ of file.createReadStream()) continue;',
    '}',
    'function ours() {',
    '  connect();',
    '}',
  ].join('\n');
  expect(makersIn('x.ts', text).map(({ isHeard }) => isHeard)).toEqual([false, true, true, false, true]);
});
