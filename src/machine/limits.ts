// What a guest's QEMU may take of the host: the guest's memory and, with room to spare, its own.
import { mebibyte } from '../shared/units.ts';
import type { CgroupLimits } from '../system/cgroup.ts';
import type { Accelerator } from './accelerator.ts';

/** Beyond the guest's memory: heap, device buffers, page cache of its disks, and under emulation up to 1 GiB of translated code, `MiB` */
const overheadMib: Readonly<Record<Accelerator, number>> = { kvm: 512, tcg: 1536 };
/** Threads for disk requests, at most 64 a disk, and QEMU's own */
const threadCount = 256;

export function limitsOf(accelerator: Accelerator, vcpuCount: number, memoryMib: number): CgroupLimits {
  return {
    memoryBytes: (memoryMib + overheadMib[accelerator]) * mebibyte,
    processCount: threadCount + vcpuCount,
  };
}
