// The messages about files: bytes of paths travel as base64, and whatever the guest sends is bounded here.
import { z } from 'zod';

/** Longest path that a guest may name, `bytes` */
export const longestPath = 4096;
/** Most folders that a path may go through */
export const deepestPath = 2000;
const count = z.number().int().nonnegative();
const permissions = z.number().int().min(0).max(0o7777);
const pathBytes = z.base64().max(Math.ceil(longestPath / 3) * 4);
const fileType = z.enum(['file', 'directory', 'symlink', 'other']);

export const fileEntrySchema = z.object({
  path: pathBytes.min(1),
  type: fileType,
  size: count,
  mode: permissions,
  mtime_ms: count,
  link_target: pathBytes.optional(),
});
export type FileEntryMessage = z.infer<typeof fileEntrySchema>;

export const listingSchema = z.object({
  entries: z.array(fileEntrySchema).max(10_000),
  next_cursor: pathBytes.min(1).optional(),
});

const headerCount = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);
/** What the head of a slice's answer tells. */
export const sliceHeadSchema = z.object({
  'pyro-size': headerCount,
  'pyro-mode': headerCount.pipe(permissions),
  'pyro-offset': headerCount,
  'pyro-first-line': headerCount,
  'pyro-cut': z.enum(['true', 'false']),
});

export const writeAnswerSchema = z.object({ size: count, mode: permissions, was_created: z.boolean() });

const editSchema = z.strictObject({
  old_text: z.string().min(1),
  new_text: z.string(),
  /** 0 for as many as there are, at least one */
  expected_count: z.number().int().min(0),
});
export const replaceRequestSchema = z.strictObject({ path: z.base64(), edits: z.array(editSchema).min(1) });
export type ReplaceRequestMessage = z.infer<typeof replaceRequestSchema>;
export const replaceAnswerSchema = z.object({ size: count, replaced_count: count });

export const changesRequestSchema = z.strictObject({
  scope: z.enum(['workspace', 'system']),
  content: z.boolean(),
  paths: z.array(z.base64()).max(100_000).optional(),
  exact: z.boolean().optional(),
  excluded_names: z.array(z.string()).optional(),
  below: z.base64().min(1).optional(),
  left_out: z.array(z.base64()).max(100_000).optional(),
  largest_content: count.optional(),
  leaf_names: z.array(z.string()).optional(),
  folded: z.array(z.base64()).max(100_000).optional(),
});
export type ChangesRequestMessage = z.infer<typeof changesRequestSchema>;

export const packRequestSchema = z.strictObject({
  path: z.base64().min(1),
  excluded_names: z.array(z.string()).optional(),
  left_out: z.array(z.base64()).max(100_000).optional(),
  names_kept: z.boolean().optional(),
});
export type PackRequestMessage = z.infer<typeof packRequestSchema>;

const changeSideSchema = z.object({
  type: fileType,
  mode: permissions,
  size: count,
  withheld: z.literal(true).optional(),
});
export const changeHeadSchema = z.object({
  path: pathBytes.min(1),
  before: changeSideSchema.optional(),
  after: changeSideSchema.optional(),
  folded: z.object({ files: count, bytes: count }).optional(),
});
export type ChangeHead = z.infer<typeof changeHeadSchema>;
export const changeEndSchema = z.object({ torn: z.boolean() });
export const changesEndSchema = z.object({ records: count });

const expectedItemSchema = z.strictObject({
  path: z.base64().min(1),
  type: z.enum(['file', 'symlink', 'none']),
  mode: permissions,
  size: count,
  sha256: z.string(),
});
export type ExpectedItemMessage = z.infer<typeof expectedItemSchema>;

export const treeManifestSchema = z.strictObject({
  destination: z.base64(),
  deleted: z.array(z.base64()),
  file: z.base64().optional(),
  keeps_kinds: z.boolean().optional(),
  /** What must still stand; of type `none` what must not */
  expected: z.array(expectedItemSchema).optional(),
});
export type TreeManifestMessage = z.infer<typeof treeManifestSchema>;
export const unpackAnswerSchema = z.object({ written: count, deleted: count });

export const treeItemSchema = z.strictObject({
  path: z.base64().min(1),
  type: z.enum(['file', 'directory', 'symlink']),
  mode: permissions,
  size: count,
  sha256: z.string().regex(/^([0-9a-f]{64})?$/),
});
export type TreeItemMessage = z.infer<typeof treeItemSchema>;
export const differencesSchema = z.object({
  different: z.array(count).max(100).optional(),
  extra: z.array(pathBytes.min(1)).max(100).optional(),
  end: z.boolean().optional(),
});

export const thawAnswerSchema = z.object({ was_frozen: z.boolean() });
export const growAnswerSchema = z.object({ bytes: count });
