// QEMU's command line for each accelerator, which can be judged without either.
import { describe, expect, it } from 'vitest';
import { type MachineSpec, machineArguments } from '../../../src/machine/arguments.ts';

const spec: MachineSpec = {
  id: 'abc',
  accelerator: 'tcg',
  vcpuCount: 2,
  memoryMib: 512,
  kernel: '/kit/vmlinuz',
  initramfs: '/kit/initramfs.img',
  magic: '00'.repeat(16),
  tscKhz: 2_500_000,
  memory: { path: '/run/a,b/ram', isShared: false, isReadOnly: true },
  storage: { rootImage: '/e/root.squashfs', disk: '/d/disk.qcow2', below: [], projectImage: '/d/empty.img' },
  sockets: { agent: '/s/a', network: '/s/n', qmp: '/s/q' },
  isSandboxed: true,
  isIncoming: false,
};

function valueAfter(args: readonly string[], flag: string): string | undefined {
  return args[args.indexOf(flag) + 1];
}

describe('machineArguments', () => {
  it('emulates a plain CPU with a known clock rate under tcg', () => {
    const args = machineArguments(spec);
    expect(valueAfter(args, '-accel')).toBe('tcg,thread=multi');
    expect(valueAfter(args, '-cpu')).toBe('Nehalem');
    expect(valueAfter(args, '-append')).toContain('tsc_early_khz=2500000');
  });

  it("passes the host's CPU through under kvm and measures no clock", () => {
    const args = machineArguments({ ...spec, accelerator: 'kvm' });
    expect(valueAfter(args, '-accel')).toBe('kvm');
    expect(valueAfter(args, '-cpu')).toBe('host');
    expect(valueAfter(args, '-append')).not.toContain('tsc');
  });

  it('differs between the accelerators in nothing else', () => {
    const rest = (accelerator: 'kvm' | 'tcg'): string[] => {
      const args = machineArguments({ ...spec, accelerator });
      return args.filter((_, index) => !['-accel', '-cpu', '-append'].includes(args[index - 1] ?? ''));
    };
    expect(rest('kvm')).toEqual(rest('tcg'));
  });

  it('gives no network card and no shared folder, and closes the sandbox', () => {
    const text = machineArguments(spec).join(' ');
    expect(text).not.toMatch(/ -(net|netdev|nic|virtfs|fsdev) |virtio-net|vhost/);
    expect(valueAfter(machineArguments(spec), '-sandbox')).toContain('spawn=deny');
  });

  it('doubles commas in paths, which would otherwise begin another option', () => {
    expect(valueAfter(machineArguments(spec), '-object')).toContain(
      'mem-path=/run/a,,b/ram,share=off,readonly=on,rom=off',
    );
  });

  it('names the guest for ps', () => {
    expect(valueAfter(machineArguments(spec), '-name')).toBe('pyro-abc');
  });
});
