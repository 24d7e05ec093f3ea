// The TypeScript in a document as one program: each block stands in the scope of those before it and may use their names.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './documents.ts';

export function snippetsOf(path: string): string {
  const text = readFileSync(join(root, path), 'utf8');
  const blocks = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(([, body = '']) => body);
  const imports = new Map<string, Set<string>>();
  const bodies = blocks.map((block) =>
    block.replaceAll(/^import \{ (.*) \} from '(.*)';\n/gm, (_line, names: string, from: string) => {
      const known = imports.get(from) ?? new Set();
      imports.set(from, new Set([...known, ...names.split(', ')]));
      return '';
    }),
  );
  const head = [...imports].map(([from, names]) => `import { ${[...names].join(', ')} } from '${from}';\n`);
  return `${head.join('')}${bodies.map((body) => `{\n${body}`).join('')}${'}'.repeat(bodies.length)}\n`;
}
