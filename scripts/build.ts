// Bundles the executable and the library into dist/; code of later use is split off and loaded when needed.
import { readFile, rm } from 'node:fs/promises';
import { build } from 'esbuild';

const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
for (const stale of ['dist/main.js', 'dist/index.js', 'dist/chunks']) await rm(stale, { recursive: true, force: true });
await build({
  entryPoints: ['src/main.ts', 'src/index.ts'],
  outdir: 'dist',
  bundle: true,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node22',
  minify: false,
  sourcemap: false,
  define: { PYRO_VERSION: JSON.stringify(version) },
  banner: {
    js: "import { createRequire as pyroCreateRequire } from 'node:module'; const require = pyroCreateRequire(import.meta.url);",
  },
});
