// Random edits of a tree as a shell script for a guest, the same for the same seed.
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from './random-tree.ts';

const newNames = ['new file', 'n\u00eb', "it's new", 'new\nline too', '--new', 'new\\slash', 'deep/er/new', 'x.txt'];

function quote(path: string): string {
  return `'./${path.replaceAll("'", `'\\''`)}'`;
}

function paths(root: string, below = ''): string[] {
  return readdirSync(join(root, below)).flatMap((name) => {
    const path = join(below, name);
    if (path === '.git') return [];
    return lstatSync(join(root, path)).isDirectory() ? [path, ...paths(root, path)] : [path];
  });
}

/** Bytes as the guest's printf writes them. */
function bytes(random: Random, count: number): string {
  return Array.from({ length: count }, () => `\\${random.next(256).toString(8).padStart(3, '0')}`).join('');
}

type Edit = (path: string, other: string, random: Random) => string;

const edits: readonly Edit[] = [
  (_path, other, random) => `mkdir -p "$(dirname ${other})" && seq ${random.next(30)} > ${other}`,
  (_path, other, random) => `mkdir -p "$(dirname ${other})" && printf '${bytes(random, random.next(300))}' > ${other}`,
  (_path, other, random) => `ln -s 'target ${random.next(5)}' ${other}`,
  (path) => `rm -rf ${path}`,
  (path, _other, random) => `[ -f ${path} ] && [ ! -L ${path} ] && printf 'edited ${random.next(9)}' >> ${path}`,
  (path, _other, random) => `[ -f ${path} ] && [ ! -L ${path} ] && sed -i '${random.next(5) + 1}s/^/more /' ${path}`,
  (path) => `[ -f ${path} ] && [ ! -L ${path} ] && chmod a+x ${path}`,
  (path) => `[ -f ${path} ] && [ ! -L ${path} ] && chmod a-x,go-r ${path}`,
  (path, other) => `mkdir -p "$(dirname ${other})" && mv -T ${path} ${other}`,
  (path, other) => `mkdir -p "$(dirname ${other})" && cp -aT ${path} ${other}`,
  (path, other) => `[ ! -L ${path} ] && ln ${path} ${other}`,
  (path) => `rm -rf ${path} && mkdir ${path} && echo inner > ${path}/inner`,
  (path) => `rm -rf ${path} && echo 'a file now' > ${path}`,
  (path) => `rm -rf ${path} && ln -s elsewhere ${path}`,
  (path, _other, random) => `rm -rf ${path} && printf '${bytes(random, random.next(200))}' > ${path}`,
  // Written again with what it holds, and touched: no change.
  (path) => `[ -f ${path} ] && [ ! -L ${path} ] && cp ${path} /tmp/same && cat /tmp/same > ${path}`,
  (path) => `touch -h ${path}`,
  // A name that is no UTF-8.
  (_path, _other, random) => `seq ${random.next(9)} > "$(printf 'n\\344me${random.next(3)}')"`,
  () => `git add -A && git -c user.name=a -c user.email=a@localhost -c commit.gpgsign=false commit -qm work`,
];

/** Some edits may find nothing to work on, because an earlier one took it away: that is no failure. */
export function editScript(root: string, random: Random, count = 30): string {
  const all = paths(root);
  const lines = Array.from({ length: count }, () => {
    const path = quote(all.length === 0 ? 'none' : random.pick(all));
    return `{ ${random.pick(edits)(path, quote(random.pick(newNames)), random)}; } 2>/dev/null || :`;
  });
  return `${lines.join('\n')}\n`;
}
