// A guest's files played by two folders of the host: the baseline and the present state.
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, type Stats } from 'node:fs';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Change, ChangeSide, ChangesRequest, GuestFiles } from '../../src/agent/file-types.ts';

const slash = Buffer.from('/');

function statusOf(path: Buffer): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    // Not there.
    return undefined;
  }
}

function sideOf(path: Buffer): { side: ChangeSide; content: Buffer } | undefined {
  const status = statusOf(path);
  if (status === undefined) return undefined;
  const mode = status.mode & 0o7777;
  if (status.isDirectory()) return { side: { type: 'directory', mode, size: 0 }, content: Buffer.alloc(0) };
  if (status.isFile()) return { side: { type: 'file', mode, size: status.size }, content: readFileSync(path) };
  if (!status.isSymbolicLink()) return { side: { type: 'other', mode, size: 0 }, content: Buffer.alloc(0) };
  const target = readlinkSync(path, { encoding: 'buffer' });
  return { side: { type: 'symlink', mode, size: target.length }, content: target };
}

function walk(root: Buffer, below: Buffer, found: Map<string, Buffer>): void {
  const folder = below.length === 0 ? root : Buffer.concat([root, slash, below]);
  if (statusOf(folder)?.isDirectory() !== true) return;
  for (const name of readdirSync(folder, { encoding: 'buffer' })) {
    const path = below.length === 0 ? name : Buffer.concat([below, slash, name]);
    found.set(path.toString('latin1'), path);
    walk(root, path, found);
  }
}

async function* bytesOf(content: Buffer): AsyncGenerator<Buffer> {
  // Cut in the middle, as a channel would.
  const middle = content.length >> 1;
  if (middle > 0) yield content.subarray(0, middle);
  if (content.length > middle) yield content.subarray(middle);
}

export function folderFiles(baseline: string, present: string): GuestFiles {
  const at = (root: string, path: Buffer): Buffer => Buffer.concat([Buffer.from(`${root}/`), path]);
  const never = async (): Promise<never> => {
    throw new Error('not played');
  };
  return {
    list: never,
    read: never,
    write: never,
    replace: never,
    compare: never,
    changes: async function* (request: ChangesRequest): AsyncGenerator<Change> {
      const paths = new Map<string, Buffer>();
      if (request.isExact !== true) {
        walk(Buffer.from(baseline), Buffer.alloc(0), paths);
        walk(Buffer.from(present), Buffer.alloc(0), paths);
      }
      for (const path of request.paths ?? []) paths.set(path.toString('latin1'), path);
      for (const [key, path] of [...paths].sort(([a], [b]) => (a < b ? -1 : 1))) {
        if (key.split('/').some((part) => request.excludedNames?.includes(part) === true)) continue;
        const before = sideOf(at(baseline, path));
        const after = sideOf(at(present, path));
        if (before === undefined && after === undefined) continue;
        const isSame =
          JSON.stringify(before?.side) === JSON.stringify(after?.side) &&
          before?.content.equals(after?.content ?? Buffer.alloc(0)) === true;
        if (isSame && request.isExact !== true) continue;
        yield {
          path,
          before: before?.side,
          after: after?.side,
          contentBefore: () => bytesOf(before?.content ?? Buffer.alloc(0)),
          contentAfter: () => bytesOf(after?.content ?? Buffer.alloc(0)),
        };
      }
    },
    pack: async ({ path, excludedNames }) => {
      const exclude = (excludedNames ?? []).map((name) => `--exclude=${name}`);
      const root = path.replace(/^\/workspace/, present);
      const isFolder = lstatSync(root).isDirectory();
      const what = isFolder
        ? ['-C', root, '.']
        : ['--transform=s,.*,.,', '-C', `${root}/..`, root.split('/').pop() ?? ''];
      const result = spawnSync('tar', ['-c', '--format=pax', ...exclude, ...what], { maxBuffer: 1 << 28 });
      if (result.status !== 0) throw new Error(String(result.stderr));
      return Readable.from([result.stdout]);
    },
    unpack: async ({ deletedPaths }, tar) => {
      for (const path of deletedPaths) rmSync(at(present, path), { recursive: true, force: true });
      mkdirSync(present, { recursive: true });
      const input = Buffer.from(await text(tar.setEncoding('latin1')), 'latin1');
      const result = spawnSync('tar', ['-x', '--unlink-first', '--recursive-unlink', '-C', present], { input });
      if (result.status !== 0) throw new Error(String(result.stderr));
      return { written: 0, deleted: deletedPaths.length };
    },
  };
}
