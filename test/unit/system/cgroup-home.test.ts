// Where a process stands among the cgroups, on the kinds of machines that there are.
import { describe, expect, it } from 'vitest';
import { locateHome } from '../../../src/system/cgroup-home.ts';

const v1Mounts = [
  '25 24 0:22 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755',
  '31 25 0:26 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory',
  '32 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct',
  '33 25 0:28 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids',
].join('\n');
const v2Mount = '30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate';

describe('locateHome', () => {
  it('finds the one folder of version 2', () => {
    expect(locateHome('0::/user.slice/user-1000.slice/session-3.scope\n', v2Mount)).toEqual({
      version: 2,
      mount: '/sys/fs/cgroup',
      folders: ['/sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope'],
    });
  });

  it('finds the two folders of version 1, also beside an empty version 2', () => {
    const text = '9:name=systemd:/\n8:pids:/a\n4:memory:/b/c\n3:cpu,cpuacct:/\n0::/\n';
    const mixed = `${v1Mounts}\n34 25 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw`;
    for (const mounts of [v1Mounts, mixed]) {
      expect(locateHome(text, mounts)?.folders).toEqual(['/sys/fs/cgroup/memory/b/c', '/sys/fs/cgroup/pids/a']);
    }
  });

  it('finds the folder in a container that sees its own part only', () => {
    const mount = '30 24 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw';
    expect(locateHome('0::/docker/abc/inner\n', mount)?.folders).toEqual(['/sys/fs/cgroup/inner']);
    expect(locateHome('0::/docker/abc\n', mount)?.folders).toEqual(['/sys/fs/cgroup']);
    expect(locateHome('0::/\n', v2Mount)?.folders).toEqual(['/sys/fs/cgroup']);
  });

  it('reads a mount point with a blank in its name', () => {
    const mount = '30 24 0:26 / /mnt/c\\040g rw - cgroup2 cgroup2 rw';
    expect(locateHome('0::/x\n', mount)?.folders).toEqual(['/mnt/c g/x']);
  });

  it.each([
    ['nothing is mounted', '0::/\n', ''],
    ['a controller of version 1 is not mounted', '8:pids:/\n4:memory:/\n', v1Mounts.split('\n').slice(0, 3).join('\n')],
    ['the process stands outside of what is visible', '0::/../other\n', v2Mount],
  ])('finds none when %s', (_name, text, mounts) => {
    expect(locateHome(text, mounts)).toBeUndefined();
  });
});
