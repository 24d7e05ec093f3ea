// The accelerator probe: KVM counts only when a guest really comes up on it, for there are machines where it merely opens.
import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf, PyroError, systemCodeOf } from '../shared/errors.ts';
import { mebibyte } from '../shared/units.ts';
import { readVariable } from '../system/environment-variables.ts';
import { readJson, writeJson } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import type { AcceleratorChoice } from './accelerator.ts';
import { makeSparse } from './disks.ts';
import type { CpuFacts } from './host-facts.ts';
import { guestFolder, newMagic, QemuGuest, type QemuHost } from './qemu-guest.ts';

const probeSchema = z.object({ key: z.string(), works: z.boolean(), reason: z.string() });
const probeDeadlineMs = 12_000;

export function kvmDevice(): string {
  return readVariable('PYRO_KVM_DEVICE') ?? '/dev/kvm';
}

/** The accelerator for this machine and why; the outcome of a probe is remembered per kernel, CPU and QEMU. */
export async function chooseAccelerator(
  host: Omit<QemuHost, 'choice'>,
  cpu: CpuFacts,
  cacheFolder: string,
  signal: AbortSignal,
  openDevice: OpenDevice = openReadWrite,
): Promise<AcceleratorChoice> {
  const forced = readVariable('PYRO_ACCELERATOR');
  if (forced === 'kvm' || forced === 'tcg') return { accelerator: forced, reason: 'PYRO_ACCELERATOR says so' };
  if (forced !== undefined) {
    throw new PyroError('usage', `PYRO_ACCELERATOR is ${forced}`, { hint: 'the values are kvm and tcg' });
  }
  const obstacle = await kvmObstacle(cpu, openDevice);
  if (obstacle !== undefined) return { accelerator: 'tcg', reason: `${obstacle}; software emulation is used` };
  const key = JSON.stringify([release(), cpu.model, host.qemu.stamp, host.kit.digest]);
  const cacheFile = join(cacheFolder, 'accelerator.json');
  const remembered = await readJson(cacheFile, probeSchema).catch(() => undefined);
  if (remembered?.key === key) return choiceOf(remembered.works, remembered.reason);
  const failure = await bootOnKvm({ ...host, choice: { accelerator: 'kvm', reason: 'probe' } }, signal);
  const reason = failure ?? 'a probe guest came up on KVM';
  await writeJson(cacheFile, { key, works: failure === undefined, reason }).catch(() => undefined);
  return choiceOf(failure === undefined, reason);
}

/** Opens a device for reading and writing, and closes it. */
export type OpenDevice = (path: string) => Promise<void>;

/** Really opens it: the permission bits alone do not tell what a container may do, nor bind root. */
export async function openReadWrite(path: string): Promise<void> {
  await (await open(path, 'r+')).close();
}

/** What keeps KVM from being tried, or undefined. */
export async function kvmObstacle(cpu: CpuFacts, openDevice: OpenDevice): Promise<string | undefined> {
  const device = kvmDevice();
  try {
    await openDevice(device);
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'ENOENT') return `there is no ${device}`;
    return code === 'EACCES' || code === 'EPERM'
      ? `${device} may not be opened by this user`
      : `${device} does not open: ${messageOf(error)}`;
  }
  return cpu.hasVirtualization ? undefined : `${device} is there, but the CPU offers neither vmx nor svm`;
}

function choiceOf(works: boolean, reason: string): AcceleratorChoice {
  return works
    ? { accelerator: 'kvm', reason }
    : { accelerator: 'tcg', reason: `KVM does not run a guest here (${reason}); software emulation is used` };
}

async function bootOnKvm(host: QemuHost, signal: AbortSignal): Promise<string | undefined> {
  const id = `k${randomBytes(5).toString('hex')}`;
  const folder = guestFolder(host, id);
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(probeDeadlineMs)]);
  try {
    await makeFolder(folder);
    const memory = { path: join(folder, 'ram'), isShared: false, isReadOnly: false };
    await makeSparse(memory.path, 256 * mebibyte);
    const size = { vcpuCount: 1, memoryMib: 256 };
    await using guest = await QemuGuest.start(
      host,
      { id, size, storage: undefined, memory, magic: newMagic() },
      deadline,
    );
    await guest.client.resume({ hostname: 'probe', machineId: '0'.repeat(32) }, undefined, { signal: deadline });
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return deadline.aborted
      ? `no answer within ${probeDeadlineMs / 1000} s`
      : (messageOf(error).split('\n')[0] ?? 'failed');
  }
}
