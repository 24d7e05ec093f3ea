// Declarations of the library in dist/types: what index.d.ts leads to and nothing else, with no package but Node's own types.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { operationTypes } from './operation-types.ts';

const root = new URL('..', import.meta.url).pathname;
/** Modules whose declarations are written here, not by the compiler: its own would lead to the schemas and to zod. */
const written = new Map([['sdk/operation-types.d.ts', operationTypes]]);

export async function writeTypes(target: string): Promise<void> {
  const raw = await mkdtemp(join(tmpdir(), 'pyro-types-'));
  try {
    const compiler = join(root, 'node_modules', '.bin', 'tsc');
    await promisify(execFile)(compiler, ['-p', join(root, 'tsconfig.types.json'), '--noCheck', '--outDir', raw]);
    await rm(target, { recursive: true, force: true });
    const waiting = ['index.d.ts'];
    const done = new Set<string>();
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      if (done.has(path)) continue;
      done.add(path);
      const text = written.get(path)?.() ?? (await readFile(join(raw, path), 'utf8'));
      await mkdir(dirname(join(target, path)), { recursive: true });
      await writeFile(join(target, path), text.replaceAll(/(from '\.[^']*)\.ts'/g, "$1.js'"));
      waiting.push(...importsOf(path, text));
    }
  } finally {
    await rm(raw, { recursive: true, force: true });
  }
}

/** Files that a declaration leads to. Throws for a package: users of pyro do not have it. */
function importsOf(path: string, text: string): string[] {
  return [...text.matchAll(/(?:from |import\()["']([^"']+)["']/g)].flatMap(([, target = '']) => {
    if (target.startsWith('node:')) return [];
    if (!target.startsWith('.')) throw new Error(`the types of the library lead to the package ${target}: ${path}`);
    return [join(dirname(path), target.replace(/\.[jt]s$/, '.d.ts'))];
  });
}
