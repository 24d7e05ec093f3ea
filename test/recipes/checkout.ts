// A small Git checkout for a run: files with a commit, and what is not committed.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gitIn } from '../support/hairy-repository.ts';

export type Files = Readonly<Record<string, string>>;

export function makeCheckout(folder: string, files: Files, uncommitted: Files = {}): void {
  mkdirSync(folder, { recursive: true });
  gitIn(folder, 'init', '-q', '-b', 'main');
  writeFiles(folder, files);
  gitIn(folder, 'add', '-A');
  gitIn(folder, 'commit', '-q', '-m', 'Begin');
  writeFiles(folder, uncommitted);
}

function writeFiles(folder: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode: name.endsWith('.sh') ? 0o755 : 0o644 });
  }
}
