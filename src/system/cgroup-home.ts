// Where a process stands among the cgroups, from what the kernel tells in /proc: pure, so that each kind of machine can be tested.
import { join } from 'node:path';

export interface CgroupHome {
  readonly version: 1 | 2;
  /** Mount point; the first folder's with version 1 */
  readonly mount: string;
  /** The process's own folder: one with version 2; the memory and the pids one with version 1 */
  readonly folders: readonly string[];
}

interface Mount {
  /** Part of the hierarchy that is visible at the mount point */
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** Place of a process by its `/proc/PID/cgroup` and our `/proc/self/mountinfo`; undefined where memory or pids cannot be limited. */
export function locateHome(cgroupText: string, mountText: string): CgroupHome | undefined {
  const mounts = parseMounts(mountText);
  const paths = new Map<string, string>();
  for (const line of cgroupText.split('\n')) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    for (const controller of match?.[1]?.split(',') ?? []) paths.set(controller, match?.[2] ?? '/');
  }
  // A machine with both versions has these two controllers in one of them: in version 1 when it lists them there.
  if (paths.has('memory') || paths.has('pids')) {
    const folders = ['memory', 'pids'].map((controller) => {
      const mount = mounts.find(({ type, options }) => type === 'cgroup' && options.includes(controller));
      return folderIn(mount, paths.get(controller));
    });
    const [memory, pids] = folders;
    return memory === undefined || pids === undefined
      ? undefined
      : { version: 1, mount: memory, folders: [memory, pids] };
  }
  const mount = mounts.find(({ type }) => type === 'cgroup2');
  const folder = folderIn(mount, paths.get(''));
  return mount === undefined || folder === undefined
    ? undefined
    : { version: 2, mount: mount.point, folders: [folder] };
}

function folderIn(mount: Mount | undefined, path: string | undefined): string | undefined {
  if (mount === undefined || path === undefined) return undefined;
  // In a container the mount may show a part of the hierarchy, and the path be that of the whole.
  const isBelow = mount.root !== '/' && (path === mount.root || path.startsWith(`${mount.root}/`));
  const inside = isBelow ? path.slice(mount.root.length) : path;
  return inside.split('/').includes('..') ? undefined : join(mount.point, inside).replace(/(.)\/$/, '$1');
}

/** Lines such as `31 24 0:26 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory`. */
function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root, point] = before.split(' ');
    const [type, , options = ''] = after.split(' ');
    if (root === undefined || point === undefined || type === undefined) return [];
    return [{ root, point: readEscapes(point), type, options: options.split(',') }];
  });
}

/** Blanks and the like stand there as `\040`. */
function readEscapes(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_whole, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
