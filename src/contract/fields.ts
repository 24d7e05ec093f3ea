// Fields that several operations share: one concept, one schema.
import { z } from 'zod';
import { packageSourceKinds } from '../shared/policy-types.ts';

export const environmentField = z
  .string()
  .min(1)
  .max(512)
  .describe('Environment from the catalogue, or any OCI image reference');
export const vcpuCountField = z.number().int().min(1).max(8).default(1).describe('Virtual processors of the guest');
export const memMibField = z.number().int().min(256).max(32_768).default(1024).describe('Memory of the guest, MiB');

export const packageSourcesField = z
  .enum(packageSourceKinds)
  .default('none')
  .describe("npm, pip, apt, Go and Cargo install from the host's sources");
