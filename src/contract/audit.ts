// What crossed the boundary between a workspace and the rest of the world, as it is kept and told.
import { z } from 'zod';
import { workspaceIdField } from './workspaces.ts';

export const auditKinds = [
  'seed',
  'sync',
  'patch',
  'export',
  'apply',
  'disk',
  'network',
  'secret',
  'port',
  'counted',
] as const;

export const auditEntrySchema = z.object({
  /** Rises by one from line to line */
  sequence: z.number().int().positive(),
  /** `s` since 1970 */
  at: z.number(),
  kind: z.enum(auditKinds),
  /** Into the workspace, out of it, or a way that was opened or asked for */
  direction: z.enum(['in', 'out', 'way']),
  /** Path, target, name of a secret: never a value of one */
  what: z.string(),
  files: z.number().nullable(),
  bytes: z.number().nullable(),
  /** Hash of this line and all before it, hexadecimal */
  chain: z.string(),
});
export type AuditEntry = z.infer<typeof auditEntrySchema>;

export const auditInput = z.strictObject({
  workspace_id: workspaceIdField.describe('Id or name; the id of a workspace that was deleted'),
  kind: z.enum(auditKinds).optional().describe('Only entries of this kind'),
  limit: z.number().int().min(1).max(1000).default(100).describe('Most entries in the result'),
  cursor: z.number().int().min(0).optional().describe('next_cursor of the previous call'),
});
export type AuditInput = z.output<typeof auditInput>;

export const auditOutput = z.object({
  workspace_id: z.string(),
  entries: z.array(auditEntrySchema),
  /** False when lines were changed or taken away: the first that does not follow from those before it */
  intact: z.boolean(),
  broken_at: z.number().nullable(),
  next_cursor: z.number().nullable(),
  log: z.string(),
});
export type AuditOutput = z.output<typeof auditOutput>;
