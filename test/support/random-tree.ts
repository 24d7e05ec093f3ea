// Random trees and random edits of them, the same for the same seed.
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed * 2_654_435_761 + 1;
  }

  /** 0 to `below` - 1. */
  next(below: number): number {
    // xorshift; good enough to vary a test.
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return Math.abs(this.#state) % below;
  }

  pick<T>(list: readonly T[]): T {
    const found = list[this.next(list.length)];
    if (found === undefined) throw new Error('nothing to pick from');
    return found;
  }
}

const names = [
  'a',
  'b c',
  'd.txt',
  'ü',
  'quote"',
  "it's",
  'tab\tx',
  'new\nline',
  '-x',
  'UPPER',
  'x*y',
  'back\\slash',
  '.hidden',
];

function content(random: Random): Buffer {
  const lines = Array.from({ length: random.next(40) }, (_, index) => `line ${index} ${random.next(4)}`);
  switch (random.next(7)) {
    case 0:
      return Buffer.alloc(0);
    case 1:
      return Buffer.from(Array.from({ length: random.next(3000) }, () => random.next(256)));
    case 2:
      return Buffer.from(lines.join('\n'));
    case 3:
      return Buffer.from(lines.map((line) => `${line}\r\n`).join(''));
    case 4:
      return Buffer.from(`latin1 \xe4\xf6\xfc\n${lines.join('\n')}\n`, 'latin1');
    default:
      return Buffer.from(lines.map((line) => `${line}\n`).join(''));
  }
}

function paths(root: string, below = ''): string[] {
  return readdirSync(join(root, below)).flatMap((name) => {
    const path = join(below, name);
    return lstatSync(join(root, path)).isDirectory() ? [path, ...paths(root, path)] : [path];
  });
}

function put(root: string, random: Random): void {
  const depth = random.next(3);
  const path = Array.from({ length: depth + 1 }, () => random.pick(names)).join('/');
  const full = join(root, path);
  try {
    // Nothing is written through a link that was made before.
    const parts = path.split('/').slice(0, -1);
    const isAside = parts.some((_, index) =>
      lstatSync(join(root, ...parts.slice(0, index + 1)), { throwIfNoEntry: false })?.isSymbolicLink(),
    );
    if (isAside) return;
    mkdirSync(dirname(full), { recursive: true });
    if (random.next(6) === 0) {
      const target = random.pick(['a', '../x', '/proc/none', 'no where']);
      // Git does not apply its own diff of a link to itself that became a folder; see docs/limitations.md.
      symlinkSync(target === basename(full) ? 'no where' : target, full);
    } else {
      writeFileSync(full, content(random), { flag: 'wx' });
      if (random.next(4) === 0) chmodSync(full, 0o755);
    }
  } catch {
    // Something stands there or in the way: another place next time.
  }
}

export function makeTree(root: string, random: Random): void {
  mkdirSync(root, { recursive: true });
  for (let number = 0; number < 25; number++) put(root, random);
}

/** Every file and link with its content and the bits that Git keeps; empty folders do not count. */
export function describeTree(root: string): Record<string, string> {
  const entries = paths(root).flatMap((path): [string, string][] => {
    if (path === '.git' || path.startsWith('.git/')) return [];
    const full = join(root, path);
    const status = lstatSync(full);
    if (status.isDirectory()) return [];
    if (status.isSymbolicLink()) return [[path, `link`]];
    return [[path, `${(status.mode & 0o100) !== 0 ? 'x' : '-'} ${readFileSync(full).toString('base64')}`]];
  });
  return Object.fromEntries(entries);
}
