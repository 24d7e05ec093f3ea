// Folders for work in the making among the machine's temporary files: their names say whose they are, so that the next daemon removes those of the dead.
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { identifySelf, isRunning } from './processes.ts';

const namePattern = /^pyro-[a-z]+-([0-9a-f]{8})-(\d+)-(\d+)-[0-9A-Za-z]{6}$/;

/** Where process ids mean the same: this boot of this machine, and the same namespace of them, since containers share folders. */
function placeOfProcesses(): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return createHash('sha256')
    .update(`${boot} ${readlinkSync('/proc/self/ns/pid')}`)
    .digest('hex')
    .slice(0, 8);
}

/** A fresh private folder. */
export async function makeTemporaryFolder(kind: string): Promise<string> {
  const { pid, start_ticks: ticks } = identifySelf();
  return await mkdtemp(join(tmpdir(), `pyro-${kind}-${placeOfProcesses()}-${pid}-${ticks}-`));
}

/** Removes folders whose makers were killed. Those of another boot or container are not ours to judge. */
export async function sweepTemporaryFolders(): Promise<void> {
  const here = placeOfProcesses();
  for (const name of await readdir(tmpdir()).catch(() => [])) {
    const [, place, pid, ticks] = namePattern.exec(name) ?? [];
    if (place !== here || isRunning({ pid: Number(pid), start_ticks: Number(ticks) })) continue;
    const path = join(tmpdir(), name);
    const status = await lstat(path).catch(() => undefined);
    if (status?.isDirectory() !== true || status.uid !== userInfo().uid) continue;
    // What cannot be removed now stays for the next time.
    await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}
