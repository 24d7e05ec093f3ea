// What stands in a checkout of this machine that somebody else may have made: Git's index and its settings.
import { ok as holds, deepStrictEqual as same } from 'node:assert';
import { createHash } from 'node:crypto';
import {
  filterOverrides,
  guestConfig,
  isPartialClone,
  parseConfig,
  partialConfig,
  withoutCredentials,
} from '../../src/project/git-config.ts';
import { parseIndex, rewriteIndex } from '../../src/project/git-index.ts';
import { type Target, tolerate } from '../target.ts';

const hashLength = 20;

/** An index with these entries, as version 2 or 4. */
function index(version: 2 | 4, paths: readonly string[], extension = ''): Buffer {
  const head = Buffer.from('DIRC\0\0\0\0\0\0\0\0', 'latin1');
  head.writeUInt32BE(version, 4);
  head.writeUInt32BE(paths.length, 8);
  const entries = paths.map((path) => {
    const fixed = Buffer.alloc(62);
    fixed.writeUInt32BE(0o100644, 24);
    fixed.writeUInt16BE(path.length, 60);
    if (version === 4) return Buffer.concat([fixed, Buffer.from([0]), Buffer.from(`${path}\0`)]);
    const size = (62 + path.length + 8) & ~7;
    return Buffer.concat([fixed, Buffer.from(path), Buffer.alloc(size - 62 - path.length)]);
  });
  const body = Buffer.concat([head, ...entries, Buffer.from(extension, 'latin1')]);
  return Buffer.concat([body, createHash('sha1').update(body).digest()]);
}

export const gitIndex: Target = {
  examples: [
    index(2, ['a', 'b/c']),
    index(4, ['a', 'b', 'folder/file']),
    index(2, ['x'], 'TREE\0\0\0\u0006\u00002 0\nx'),
    index(2, ['x'], 'link\0\0\0\0'),
  ],
  words: ['DIRC', 'TREE', 'link', 'sdir', 'UNTR'],
  run: (input) => {
    const read = parseIndex(input, hashLength);
    for (const { offset, mode, path } of read.entries) holds(offset >= 12 && mode >= 0 && typeof path === 'string');
    const written = rewriteIndex(read, 'sha1', ({ offset }) =>
      offset % 3 === 0 ? undefined : { mtimeMs: 5e12, size: 2 ** 40 },
    );
    const again = parseIndex(written, hashLength);
    same(
      again.entries.map(({ path, mode, oid, stage }) => [path, mode, oid, stage]),
      read.entries.map(({ path, mode, oid, stage }) => [path, mode, oid, stage]),
    );
  },
};

const plan = { objectFormat: 'sha1', branch: 'main', workTree: undefined, attributesPath: undefined };

export const gitConfig: Target = {
  examples: [
    'local\0core.filemode\ntrue\0local\0remote.origin.url\nhttps://user:secret@host/x\0',
    'local\0filter.lfs.clean\ngit-lfs clean\0global\0user.name\nA "b" \\ c\0local\0branch.main.remote\norigin\0',
    'local\0remote.o.promisor\ntrue\0local\0extensions.partialclone\no\0local\0submodule.a b.url\next::sh -c x\0',
  ].map((text) => Buffer.from(text)),
  words: [
    'filter.',
    '.process\n',
    '.url\n',
    'https://a:SECRET@b/',
    'ssh://a:SECRET@b',
    'a:SECRET@b:c',
    'local\0',
    'remote.x.url\n',
    '=',
  ],
  run: (input) => {
    const { config } = parseConfig(input);
    const overrides = tolerate(() => filterOverrides(config));
    for (const each of overrides ?? []) holds(/^filter\..*=(false)?$/s.test(each) && each.split('=').length === 2);
    isPartialClone(config);
    for (const text of [guestConfig(config, plan), partialConfig(config)]) {
      for (const line of text.split('\n'))
        holds(line === '' || /^\[|^\t/.test(line), `a line of its own: ${JSON.stringify(line)}`);
    }
    const url = withoutCredentials(input.toString('latin1').split('\n')[0] ?? '');
    if (url !== undefined && /^https?:\/\//i.test(url)) holds(/^https?:\/\/[^/]*@/i.test(url) === false);
  },
};
