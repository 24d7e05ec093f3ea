// What `make dist-check` says of a package: what belongs into it, what is missing, and what is too much.
import { expect, it } from 'vitest';
import { checkContent } from '../../scripts/package-content.ts';

const files = [
  ...['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE', 'SECURITY.md', 'docs/reference/cli.md'],
  ...['main.js', 'index.js', 'chunks/chunk-A1.js', 'types/index.d.ts', 'types/sdk/pyro.d.ts', 'NOTICE'].map(
    (name) => `dist/${name}`,
  ),
  ...['vmlinuz', 'initramfs.img', 'kit.json', 'NOTICE'].map((name) => `dist/guest/${name}`),
];

function pack(paths: readonly string[], size = 1): Parameters<typeof checkContent>[0] {
  return {
    filename: 'x.tgz',
    entryCount: paths.length,
    size,
    unpackedSize: size,
    files: paths.map((path) => ({ path })),
  };
}

it('a whole package is taken, with its size', () => {
  expect(checkContent(pack(files))).toContain('1 B packed');
});

it.each([
  'test/unit/a.test.ts',
  'dist/guest/.inputs',
  'src/main.ts',
  'docs/notes.txt',
  'dist/chunks/chunk-A1.js.map',
  '.env',
])('%s does not belong into it', (path) => {
  expect(() => checkContent(pack([...files, path]))).toThrow(path);
});

it.each(['dist/NOTICE', 'dist/guest/vmlinuz', 'dist/types/index.d.ts'])('%s is missed', (path) => {
  expect(() => checkContent(pack(files.filter((each) => each !== path)))).toThrow(`lacks ${path}`);
});

it('one that has grown is refused', () => {
  expect(() => checkContent(pack(files, 100 * 1024 * 1024))).toThrow('too large');
});
