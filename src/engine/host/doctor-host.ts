// The machine itself: kind, folders, disk space, and whether it lets us limit a guest.
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DoctorCheck } from '../../contract/machine.ts';
import { kitLabel } from '../../machine/used-content.ts';
import { leastRoom, scarceRoom } from '../../shared/disk-limits.ts';
import { messageOf } from '../../shared/errors.ts';
import { formatBytes } from '../../shared/units.ts';
import { makeFolder } from '../../system/folders.ts';
import { ensurePrivateFolder, type Paths } from '../../system/paths.ts';
import { readFindings } from '../guests/content-watch.ts';
import type { DoctorFacts } from './doctor-check.ts';

const moveHome = 'export PYRO_HOME=/a/writable/folder';

export function checkPlatform({ platform, architecture, kernel }: DoctorFacts): DoctorCheck {
  const fits = platform === 'linux' && architecture === 'x64';
  return {
    name: 'platform',
    status: fits ? 'ok' : 'fail',
    message: `${platform} ${architecture}, kernel ${kernel}`,
    why: 'the guest kit is for Linux on x86_64',
    fix: fits ? null : 'run pyro on a Linux machine with an x86_64 processor',
  };
}

export async function checkFolders(paths: Paths): Promise<DoctorCheck[]> {
  return [
    await checkFolder('cache-folder', paths.cache),
    await checkFolder('state-folder', paths.state),
    await checkFolder('runtime-folder', paths.runtime),
  ];
}

async function checkFolder(name: string, folder: string): Promise<DoctorCheck> {
  const why = 'pyro keeps its files there';
  try {
    await ensurePrivateFolder(folder);
    await access(folder, constants.W_OK);
    return { name, status: 'ok', message: folder, why, fix: null };
  } catch (error) {
    const message = `${folder} cannot be written to: ${messageOf(error)}`;
    return { name, status: 'fail', message, why, fix: moveHome };
  }
}

/** Told for a week; nothing to tell is no line. */
const toldSeconds = 7 * 24 * 3600;

const lookAfterDisk = 'look after the disk: dmesg, smartctl';
const removeIt = `where the cache can be written to, pyro clean --all removes it; ${lookAfterDisk}`;

/** What has changed on the disk since pyro made it, and was noticed. */
export async function checkContents(paths: Paths): Promise<DoctorCheck[]> {
  const found = (await readFindings(paths)).filter(({ at }) => Date.now() / 1000 - at < toldSeconds);
  const last = found.at(-1);
  if (last === undefined) return [];
  const when = new Date(last.at * 1000).toISOString().slice(0, 16);
  const more = found.length === 1 ? '' : `, and ${found.length - 1} more in a week`;
  const done = last.was_dropped ? 'it was removed, and is made anew when it is needed' : 'it is still in use';
  return [
    {
      name: 'contents',
      status: last.was_dropped ? 'warn' : 'fail',
      message: `${last.label} had changed on the disk at ${when}: ${done}${more}`,
      why: 'bytes that nobody has written come from a failing disk or memory, or from another program',
      fix: last.was_dropped ? lookAfterDisk : last.label === kitLabel ? 'npm install -g pyro-mcp' : removeIt,
    },
  ];
}

/** Of the folders the one with less room. */
export async function checkSpace(folders: readonly string[], facts: DoctorFacts): Promise<DoctorCheck> {
  const name = 'disk-space';
  const why = `environments and templates need about ${formatBytes(scarceRoom)}; below ${formatBytes(leastRoom)} new work is refused, and guests are paused on a full disk`;
  let folder = '';
  try {
    let free = Number.POSITIVE_INFINITY;
    for (const each of folders) {
      await makeFolder(each);
      const here = await facts.freeBytes(each);
      if (here >= free) continue;
      free = here;
      folder = each;
    }
    const status = free >= scarceRoom ? 'ok' : free >= leastRoom ? 'warn' : 'fail';
    const message = `${formatBytes(free)} free in ${folder}`;
    return {
      name,
      status,
      message,
      why,
      fix: status === 'ok' ? null : 'pyro df; pyro workspace prune; pyro env prune',
    };
  } catch (error) {
    return { name, status: 'fail', message: `${dirname(folder)}: ${messageOf(error)}`, why, fix: moveHome };
  }
}

/** Missing limits are only a warning: a guest's memory is bounded by its own size anyway. */
export async function checkLimits(facts: DoctorFacts): Promise<DoctorCheck> {
  const name = 'cgroup-limits';
  const why = 'the host then limits the memory and processes of each QEMU, even if its guest has taken it over';
  const obstacle = await facts.limitObstacle();
  if (obstacle === undefined)
    return { name, status: 'ok', message: 'each guest has memory and process limits', why, fix: null };
  return {
    name,
    status: 'warn',
    message: `guests run without host limits: ${obstacle}`,
    why,
    fix: 'start pyro in a cgroup that is delegated to you: systemd-run --user --scope -p Delegate=yes pyro …',
  };
}
