// Trees of the fake guest written to and read from the host's disk, to compare with what Git and exports make.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { FakeNode, FakeTree } from './fake-guest-files.ts';

/** One line per file or link, in order: what Git would know of it. Empty folders are left out, as Git leaves them. */
export function describeTree(tree: FakeTree): string[] {
  return [...tree]
    .filter(([, node]) => node.type === 'file' || node.type === 'symlink')
    .map(([key, node]) => describeNode(key, node.type, node.mode, node.content))
    .sort();
}

export function describeFolder(root: string): string[] {
  return [...walk(Buffer.from(root), '')].sort();
}

function* walk(folder: Buffer, prefix: string): Generator<string> {
  for (const name of readdirSync(folder, { encoding: 'buffer' })) {
    const path = Buffer.concat([folder, Buffer.from('/'), name]);
    const key = `${prefix}${name.toString('latin1')}`;
    const status = lstatSync(path);
    if (status.isDirectory()) yield* walk(path, `${key}/`);
    else if (status.isSymbolicLink()) yield describeNode(key, 'symlink', 0, readlinkSync(path, { encoding: 'buffer' }));
    else yield describeNode(key, 'file', status.mode, readFileSync(path));
  }
}

function describeNode(key: string, type: string, mode: number, content: Buffer): string {
  const kind = type === 'symlink' ? 'link' : (mode & 0o100) === 0 ? 'plain' : 'executable';
  return `${JSON.stringify(key)} ${kind} ${JSON.stringify(content.toString('latin1'))}`;
}

export function writeTree(root: string, tree: FakeTree): void {
  mkdirSync(root, { recursive: true });
  for (const [key, node] of [...tree].sort(([a], [b]) => (a < b ? -1 : 1))) writeNode(root, key, node);
}

function writeNode(root: string, key: string, node: FakeNode): void {
  const path = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(key, 'latin1')]);
  if (node.type === 'directory') mkdirSync(path, { recursive: true });
  else if (node.type === 'symlink') symlinkSync(node.content, path);
  else if (node.type === 'file') {
    writeFileSync(path, node.content);
    chmodSync(path, node.mode);
  }
}

/** Runs Git as a user would, with no configuration of this machine. */
export function git(folder: string, ...args: string[]): { status: number | null; stdout: Buffer; stderr: string } {
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CEILING_DIRECTORIES: '/',
  };
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@localhost', '-c', 'commit.gpgSign=false'];
  const result = spawnSync('git', [...identity, ...args], { cwd: folder, env, maxBuffer: 64 * 1024 * 1024 });
  return { status: result.status, stdout: result.stdout, stderr: result.stderr.toString('utf8') };
}
