// The guest kit: kernel and initramfs with the agent, and the digest that names them.
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { PyroError } from '../shared/errors.ts';
import type { KeptFile } from '../system/content-check.ts';
import { readVariable } from '../system/environment-variables.ts';
import { readJson } from '../system/files.ts';

const kitSchema = z.object({
  kernel_release: z.string(),
  kernel_package_version: z.string(),
  digest: z.string(),
  kernel_bytes: z.number(),
  initramfs_bytes: z.number(),
  agent_version: z.string(),
  /** Absent in kits of early versions */
  kernel_sha256: z.string().optional(),
  initramfs_sha256: z.string().optional(),
});

export interface GuestKit {
  readonly kernel: string;
  readonly initramfs: string;
  readonly digest: string;
  readonly kernelRelease: string;
  readonly bytes: number;
  /** Its files, as they were built */
  readonly kept: readonly KeptFile[];
}

/** Folder of the kit: beside the bundle in a package, in dist/ of a checkout. */
export function kitFolder(): string {
  const override = readVariable('PYRO_GUEST_KIT');
  if (override !== undefined) return override;
  const here = dirname(fileURLToPath(import.meta.url));
  if (here.endsWith('/machine')) return join(here, '..', '..', 'dist', 'guest');
  return join(here.endsWith('/chunks') ? dirname(here) : here, 'guest');
}

/** The kit, checked for presence and size. Throws `guest_kit_missing`. */
export async function loadKit(): Promise<GuestKit> {
  const folder = kitFolder();
  const record = await readJson(join(folder, 'kit.json'), kitSchema);
  const kernel = join(folder, 'vmlinuz');
  const initramfs = join(folder, 'initramfs.img');
  const isWhole =
    record !== undefined &&
    (await sizeOf(kernel)) === record.kernel_bytes &&
    (await sizeOf(initramfs)) === record.initramfs_bytes;
  if (!isWhole) {
    throw new PyroError('guest_kit_missing', `the guest kit in ${folder} is missing or incomplete`, {
      hint: 'in a checkout, run: make guest; otherwise reinstall the package: npm install -g pyro-mcp',
    });
  }
  return {
    kernel,
    initramfs,
    digest: record.digest,
    kernelRelease: record.kernel_release,
    bytes: record.kernel_bytes + record.initramfs_bytes,
    kept: [
      { path: kernel, bytes: record.kernel_bytes, sha256: record.kernel_sha256 },
      { path: initramfs, bytes: record.initramfs_bytes, sha256: record.initramfs_sha256 },
    ].flatMap(({ sha256, ...file }) => (sha256 === undefined ? [] : [{ ...file, sha256 }])),
  };
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size;
}
