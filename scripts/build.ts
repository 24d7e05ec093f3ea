// Bundles the executable and the library into dist/, with types and licences; code of later use is split off and loaded when needed.
import { readFile, rm } from 'node:fs/promises';
import { build, type Plugin } from 'esbuild';
import { factsOf } from '../src/mcp/catalogue.ts';
import { operations } from '../src/operations/index.ts';
import { writeNotice } from './notice.ts';
import { writeTypes } from './types.ts';

/** Modules whose content is decided here. */
function replaceModules(modules: readonly { filter: RegExp; contents: string }[]): Plugin {
  return {
    name: 'replace-modules',
    setup: ({ onResolve, onLoad }) => {
      modules.forEach(({ filter, contents }, index) => {
        onResolve({ filter }, () => ({ path: String(index), namespace: 'replaced' }));
        onLoad({ filter: new RegExp(`^${index}$`), namespace: 'replaced' }, () => ({ contents }));
      });
    },
  };
}

const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
for (const stale of ['dist/main.js', 'dist/index.js', 'dist/chunks']) await rm(stale, { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: ['src/main.ts', 'src/index.ts'],
  outdir: 'dist',
  bundle: true,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  format: 'esm',
  platform: 'node',
  // Its other form asks for its parts by names that no bundler can see.
  alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
  target: 'node22',
  minify: true,
  sourcemap: false,
  metafile: true,
  define: { PYRO_VERSION: JSON.stringify(version) },
  plugins: [
    replaceModules([
      // Converting schemas at each start of the MCP server would cost it a third of its time.
      {
        filter: /\/built-catalogue\.ts$/,
        contents: `export const builtCatalogue = ${JSON.stringify(factsOf(operations))};`,
      },
      // The schema compiler of the SDK serves elicitation, which pyro does not use; see mcp/server.ts.
      {
        filter: /^@modelcontextprotocol\/server\/_shims$/,
        contents: "export { default as process } from 'node:process'; export class DefaultJsonSchemaValidator {}",
      },
      // Messages of zod in other languages.
      { filter: /\/locales\/index\.js$/, contents: 'export {};' },
      // What zod makes of JSON schemas that others wrote: pyro only writes them.
      { filter: /\/from-json-schema\.js$/, contents: 'export const fromJSONSchema = undefined;' },
    ]),
  ],
  banner: {
    js: "import { createRequire as pyroCreateRequire } from 'node:module'; const require = pyroCreateRequire(import.meta.url);",
  },
});
await writeNotice(Object.keys(metafile.inputs), 'dist/NOTICE');
await writeTypes('dist/types');
