// What stands between a real guest's QEMU and the rest of this machine.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { expect, it } from 'vitest';
import { call, createRequest, exec, openTestEngine } from '../support/engine.ts';

it('QEMU has a user, files, network and processes of its own, no rights, and the memory of its template to read', async () => {
  await using engine = await openTestEngine();
  const { workspace_id: id } = await engine.workspaces().create(createRequest, call());
  const pid = engine
    .engine()
    .activity()
    .guests.find((each) => each.workspace_id === id)?.pid;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  expect(status).toMatch(/^Name:\tqemu-system-x86/m);
  expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']) expect(status).toMatch(new RegExp(`^Cap${set}:\t0+$`, 'm'));
  // Ours, and QEMU's own.
  expect(status).toMatch(/^Seccomp_filters:\t2$/m);
  if (process.getuid?.() === 0) expect(status).toMatch(/^Uid:\t(19|20|21)\d{8}\t/m);
  else expect(readlinkSync(`/proc/${pid}/ns/user`)).not.toBe(readlinkSync('/proc/self/ns/user'));
  for (const kind of ['mnt', 'net', 'pid', 'ipc', 'uts', 'cgroup'])
    expect(readlinkSync(`/proc/${pid}/ns/${kind}`), kind).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
  const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').trim().split('\n');
  const writable = mounts.map((line) => line.split(' ')).filter(([, , , , , options]) => options?.startsWith('rw'));
  const names = writable.map(([, , , , point]) => point?.split('/').at(-1)?.replace(/-.*/, ''));
  expect(names.toSorted()).toEqual(['disk', 'full', 'new', 'null', 'random', 'urandom', `w${id}`, 'zero']);
  const ram = readdirSync(`/proc/${pid}/fd`).filter((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).endsWith('/ram'));
  const flags = ram.map((fd) => /^flags:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1]);
  expect(flags).toEqual([expect.stringMatching(/0$/)]);
  expect((await exec(engine, id, 'echo fine')).stdout).toBe('fine\n');
});
