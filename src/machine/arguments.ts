// QEMU's command line from a machine's description: pure, so that each accelerator's arguments can be tested anywhere.
import type { Accelerator } from './accelerator.ts';

export interface MachineStorage {
  /** Squashfs image of the environment */
  readonly rootImage: string;
  /** qcow2 of the guest's own disk */
  readonly disk: string;
  /** Paths of the files that the disk stands on, in their order */
  readonly below: readonly string[];
  /** Project image, or the empty file that keeps its place */
  readonly projectImage: string;
}

export interface MachineSpec {
  /** Shown by ps: `pyro-<id>` */
  readonly id: string;
  readonly accelerator: Accelerator;
  readonly vcpuCount: number;
  readonly memoryMib: number;
  readonly kernel: string;
  readonly initramfs: string;
  /** Secret of the first hello, hexadecimal */
  readonly magic: string;
  /** Clock rate of the host's time stamp counter, `kHz`; needed under emulation */
  readonly tscKhz: number;
  readonly memory: {
    readonly path: string;
    /** True writes the guest's memory to the file; false keeps changes private */
    readonly isShared: boolean;
    /** True where QEMU can open the file read-only for a private copy (8.2 and later) */
    readonly isReadOnly: boolean;
  };
  /** Absent for a probe guest, which only has to come up */
  readonly storage: MachineStorage | undefined;
  readonly sockets: {
    readonly agent: string;
    readonly network: string;
    readonly qmp: string;
    /** Absent: the console is QEMU's standard output */
    readonly console?: string | undefined;
  };
  readonly isSandboxed: boolean;
  /** True waits for a saved state in place of booting */
  readonly isIncoming: boolean;
}

/** Node of the disk that a guest writes, in the first layer that it starts with */
export const diskNode = 's0';

const cpuModels: Readonly<Record<Accelerator, string>> = {
  kvm: 'host',
  // Measured quicker under emulation than `max`: fewer features, fewer helper calls.
  tcg: 'Nehalem',
};

/** Arguments for qemu-system-x86_64; the order of devices is part of a template's key. */
export function machineArguments(spec: MachineSpec): string[] {
  return [
    ...['-name', `pyro-${spec.id}`],
    ...['-M', 'microvm,rtc=on,memory-backend=ram'],
    ...['-accel', spec.accelerator === 'tcg' ? 'tcg,thread=multi' : 'kvm'],
    ...['-cpu', cpuModels[spec.accelerator]],
    ...['-m', `${spec.memoryMib}M`, '-smp', String(spec.vcpuCount)],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-object', memoryObject(spec)],
    ...['-kernel', spec.kernel, '-initrd', spec.initramfs, '-append', kernelCommandLine(spec)],
    ...['-chardev', consoleDevice(spec.sockets.console), '-serial', 'chardev:con'],
    ...['-device', 'virtio-serial-device'],
    ...port('agent', spec.sockets.agent),
    ...port('net', spec.sockets.network),
    ...(spec.storage === undefined ? [] : storageArguments(spec.storage)),
    ...['-device', 'virtio-rng-device'],
    ...['-qmp', `unix:${optionValue(spec.sockets.qmp)},server=on,wait=off`],
    ...(spec.isIncoming ? ['-incoming', 'defer'] : []),
    ...(spec.isSandboxed
      ? ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny']
      : []),
  ];
}

/** A socket without a reader drops what the guest writes, so a guest never waits and never fills a disk. */
function consoleDevice(path: string | undefined): string {
  return path === undefined ? 'stdio,id=con,signal=off' : `socket,id=con,path=${optionValue(path)},server=on,wait=off`;
}

function storageArguments(storage: MachineStorage): string[] {
  return [
    ...['-drive', `id=r,file=${optionValue(storage.rootImage)},format=raw,if=none,readonly=on`],
    ...['-device', 'virtio-blk-device,drive=r,id=vr,serial=root'],
    ...['-blockdev', `driver=file,node-name=sf,filename=${optionValue(storage.disk)},discard=unmap`],
    ...['-blockdev', `driver=qcow2,node-name=${diskNode},file=sf,discard=unmap`],
    // A write that fails pauses the guest, whatever the reason: told of it, its file system would give up for good.
    ...['-device', 'virtio-blk-device,drive=s0,id=vs,serial=disk,werror=stop'],
    ...['-drive', `id=p,file=${optionValue(storage.projectImage)},format=raw,if=none,readonly=on`],
    ...['-device', 'virtio-blk-device,drive=p,id=vp,serial=project'],
  ];
}

function memoryObject(spec: MachineSpec): string {
  const { memory } = spec;
  const parts = [
    'memory-backend-file',
    'id=ram',
    `size=${spec.memoryMib}M`,
    `mem-path=${optionValue(memory.path)}`,
    `share=${memory.isShared ? 'on' : 'off'}`,
  ];
  if (memory.isReadOnly) parts.push('readonly=on', 'rom=off');
  return parts.join(',');
}

function port(name: string, path: string): string[] {
  return [
    ...['-chardev', `socket,id=c-${name},path=${optionValue(path)},server=on,wait=off`],
    ...['-device', `virtserialport,chardev=c-${name},name=${name},id=${name}`],
  ];
}

function kernelCommandLine(spec: MachineSpec): string {
  const words = [
    'console=ttyS0',
    'quiet',
    'loglevel=3',
    'panic=-1',
    'reboot=t',
    'mitigations=off',
    'random.trust_cpu=on',
  ];
  if (spec.accelerator === 'tcg') {
    // Without a known rate the kernel measures it against an emulated timer, and one boot in five never ends.
    words.push('tsc=reliable', 'no_timer_check', `tsc_early_khz=${spec.tscKhz}`);
  }
  words.push(`pyro.magic=${spec.magic}`);
  return words.join(' ');
}

/** QEMU splits option values at commas; a doubled one stands for itself. */
function optionValue(value: string): string {
  return value.replaceAll(',', ',,');
}
