// Environments: what goes in and what comes out.

import { z } from 'zod';
import { environmentField } from './fields.ts';

export const summarySchema = z.object({
  name: z.string(),
  reference: z.string(),
  description: z.string(),
  installed: z.boolean(),
  source: z.enum(['registry', 'packages']).nullable(),
  digest: z.string().nullable(),
  image_bytes: z.number().nullable(),
  created_at: z.string().nullable(),
});

export const envListInput = z.strictObject({});
export type EnvListInput = z.output<typeof envListInput>;

export const envListOutput = z.object({ environments: z.array(summarySchema) });
export type EnvListOutput = z.output<typeof envListOutput>;

export const envInspectInput = z.strictObject({ environment: environmentField });
export type EnvInspectInput = z.output<typeof envInspectInput>;

export const envInspectOutput = summarySchema.extend({
  layers: z.number(),
  packages: z.array(z.string()),
  env: z.array(z.string()),
  working_dir: z.string(),
  user: z.string(),
  path: z.string().nullable(),
});
export type EnvInspectOutput = z.output<typeof envInspectOutput>;

export const envPullInput = z.strictObject({
  environment: environmentField,
  source: z.enum(['auto', 'registry', 'packages']).default('auto').describe('Where to get it from'),
});
export type EnvPullInput = z.output<typeof envPullInput>;

export const envPullOutput = z.object({
  name: z.string(),
  outcome: z.enum(['pulled', 'built', 'up_to_date', 'changed']),
  source: z.enum(['registry', 'packages']),
  digest: z.string(),
  previous_digest: z.string().nullable(),
  image_bytes: z.number(),
  note: z.string().nullable(),
});
export type EnvPullOutput = z.output<typeof envPullOutput>;

export const envPruneInput = z.strictObject({
  all: z.boolean().default(false).describe('Also remove named environments and all templates'),
  dry_run: z.boolean().default(false).describe('Show what would be removed, and remove nothing'),
});
export type EnvPruneInput = z.output<typeof envPruneInput>;

export const envPruneOutput = z.object({ freed_bytes: z.number(), removed: z.array(z.string()), dry_run: z.boolean() });
export type EnvPruneOutput = z.output<typeof envPruneOutput>;

export type EnvironmentSummary = EnvListOutput['environments'][number];
