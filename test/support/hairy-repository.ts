// A Git checkout with everything in it that makes life hard, for tests of seeds, diffs and exports.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Runs git without the person's own settings; throws with its words. */
export function gitIn(cwd: string, ...args: string[]): string {
  const result = spawnSync(
    'git',
    [
      '-c',
      'user.name=T',
      '-c',
      'user.email=t@example.org',
      '-c',
      'commit.gpgsign=false',
      '-c',
      'protocol.file.allow=always',
      ...args,
    ],
    {
      cwd,
      encoding: 'utf8',
      maxBuffer: 256 << 20,
      env: {
        PATH: process.env['PATH'],
        HOME: '/nonexistent',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_OPTIONAL_LOCKS: '0',
        LC_ALL: 'C.UTF-8',
      },
    },
  );
  if (result.status !== 0) throw new Error(`git ${args.join(' ')}: ${result.stderr}`);
  return result.stdout;
}

/** What a person would compare: state of the tree, of the index and of the history. */
export function gitFacts(cwd: string): Record<string, string> {
  return {
    status: gitIn(cwd, 'status', '--porcelain=v2', '--branch', '-z').replaceAll('\0', '\n'),
    unstaged: gitIn(cwd, 'diff', '--raw', '--abbrev=40', '--submodule=short'),
    staged: gitIn(cwd, 'diff', '--cached', '--raw', '--abbrev=40'),
    log: gitIn(cwd, 'log', '--format=%H %s', '-n', '20'),
  };
}

export const hardNames = ['a b', "q'uote", 'd"q', 'tab\there', 'new\nline', 'ümläut', '-dash', 'star*', 'back\\slash'];

export function makeHairyRepository(root: string): void {
  mkdirSync(root, { recursive: true });
  gitIn(root, 'init', '-q', '-b', 'main');
  const put = (name: string, content: string | Buffer): void => {
    mkdirSync(join(root, name, '..'), { recursive: true });
    writeFileSync(join(root, name), content);
  };
  for (const name of hardNames) put(`names/${name}`, `content of ${name}\n`);
  put('src/deep/er/file.txt', 'one\ntwo\nthree\n');
  put('no-newline', 'no end');
  put('crlf.txt', 'a\r\nb\r\n');
  put('binary.bin', Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * 7) % 256)));
  put('tool.sh', '#!/bin/sh\necho hi\n');
  chmodSync(join(root, 'tool.sh'), 0o755);
  put('.gitignore', 'ignored/\n*.log\n.env\n');
  symlinkSync('src/deep', join(root, 'link'));
  symlinkSync('../outside', join(root, 'up'));
  symlinkSync('/etc/passwd', join(root, 'absolute'));
  put('gone.txt', 'will be deleted\n');
  put('staged.txt', 'before\n');
  put('old-name.txt', 'a file\nthat is\nrenamed\nlater\n');
  gitIn(root, 'add', '-A');
  gitIn(root, 'commit', '-q', '-m', 'first');
  for (let number = 0; number < 3; number++) gitIn(root, 'commit', '-q', '--allow-empty', '-m', `more ${number}`);
}

/** Uncommitted changes of every kind. */
export function dirty(root: string): void {
  writeFileSync(join(root, 'src/deep/er/file.txt'), 'one\n2\nthree\n');
  writeFileSync(join(root, 'staged.txt'), 'only in the index\n');
  gitIn(root, 'add', 'staged.txt');
  writeFileSync(join(root, 'staged.txt'), 'and then again\n');
  rmSync(join(root, 'gone.txt'));
  gitIn(root, 'mv', 'old-name.txt', 'new-name.txt');
  chmodSync(join(root, 'tool.sh'), 0o644);
  writeFileSync(join(root, 'untracked file'), 'new\n');
  writeFileSync(join(root, 'intended'), 'to add\n');
  gitIn(root, 'add', '-N', 'intended');
  mkdirSync(join(root, 'ignored'), { recursive: true });
  writeFileSync(join(root, 'ignored', 'x'), 'never');
  writeFileSync(join(root, '.env'), 'TOKEN=very-secret');
  writeFileSync(join(root, 'debug.log'), 'never');
}
