// What is kept on disk of a workspace, its guest, its commands, shells and services: each record whole, checked when it is read.
import { z } from 'zod';
import { networkPolicies, packageSourceKinds } from '../shared/policy-types.ts';
import { processIdentitySchema } from '../system/processes.ts';
import { keptFields, lastCommandSchema, seedSchema } from './workspaces.ts';

/** What a workspace is granted, as its record keeps it. */
export const networkGrantSchema = z.strictObject({
  policy: z.enum(networkPolicies),
  /** Allow-lists that must all agree; null stands for public addresses only */
  limits: z.array(z.array(z.string().min(1).max(300)).max(1000).nullable()).max(8),
});
export type NetworkGrant = z.infer<typeof networkGrantSchema>;

/** A guest that runs, as a record keeps it for the process that takes it over. */
export const runningGuestSchema = z.object({
  process: processIdentitySchema,
  /** Name of its folder of sockets below the runtime folder */
  folder: z.string().regex(/^[tw]?[0-9a-f-]{1,40}$/),
  /** Secret of the hello, hexadecimal */
  magic: z.string().regex(/^[0-9a-f]{32}$/),
  machine_id: z.string().regex(/^[0-9a-f]{32}$/),
  accelerator: z.enum(['kvm', 'tcg']),
});
export type RunningGuest = z.infer<typeof runningGuestSchema>;

export const workspaceIdSchema = z.string().regex(/^[0-9a-f]{12}$/);

const changeCountsSchema = z.object({
  files: z.number(),
  additions: z.number(),
  deletions: z.number(),
  digest: z.string(),
});
export type ChangeCounts = z.infer<typeof changeCountsSchema>;

/** File names of layers of the disk */
export const layerNamePattern = /^disk-[a-z0-9]{1,40}\.qcow2$/;
const layerSchema = z.string().regex(layerNamePattern);

export const workspaceRecordSchema = z.object({
  version: z.literal(1),
  id: workspaceIdSchema,
  name: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  environment: z.string(),
  environment_digest: z.string(),
  image: z.object({ env: z.array(z.string()), working_dir: z.string(), user: z.string() }),
  ...keptFields,
  /** Times are `s` since 1970 */
  created_at: z.number(),
  last_activity_at: z.number(),
  secrets: z.array(z.object({ name: z.string(), source_kind: z.enum(['literal', 'file']) })),
  network_policy: z.enum(networkPolicies),
  network_grant: networkGrantSchema,
  package_sources: z.enum(packageSourceKinds).default('none'),
  seed: seedSchema,
  has_project: z.boolean(),
  state: z.enum(['started', 'stopped']),
  /** `explicit` does not start again by itself, the others do; `guest` was switched off or rebooted from within */
  stop_reason: z.enum(['idle', 'crash', 'guest', 'host', 'explicit']).nullable(),
  /** How it ended, in words, where nobody asked for that */
  stop_detail: z.string().nullable().default(null),
  guest: runningGuestSchema.nullable(),
  /** File name of the layer of the disk that is written */
  disk: layerSchema,
  /** Each layer and the one below it; null is the template's frozen disk */
  layers: z.record(layerSchema, layerSchema.nullable()),
  snapshots: z.array(
    z.object({ name: z.string(), layer: layerSchema, created_at: z.number(), changed_bytes: z.number() }),
  ),
  command_count: z.number(),
  last_command: lastCommandSchema.nullable(),
  reset_count: z.number(),
  last_reset_at: z.number().nullable(),
  /** What had changed since the seed when it was stopped; null while it runs, and where nobody could tell */
  changes: changeCountsSchema.nullable().default(null),
  /** Digest of the changes that were brought home whole, by apply or export */
  brought_digest: z.string().nullable().default(null),
  /** What a person should know of what it runs on */
  note: z.string().nullable().default(null),
});
export type WorkspaceRecord = z.infer<typeof workspaceRecordSchema>;

export const commandRecordSchema = z.object({
  sequence: z.number().int().positive(),
  command: z.string(),
  cwd: z.string(),
  user: z.string().nullable(),
  /** `s` since 1970 */
  started_at: z.number(),
  ended_at: z.number().nullable(),
  /** Process id on the guest's channel; null until it has started */
  process: z.string().nullable(),
  /** Null while it runs, and if its end was never seen */
  exit_code: z.number().nullable(),
  timed_out: z.boolean(),
  /** True when its guest ended before it did */
  lost: z.boolean(),
  /** True when output beyond the limit was not kept */
  cut: z.boolean(),
  /** `s` since 1970: a guest that has not ended it by then, well after its time limit, never will; absent without a limit */
  must_end_at: z.number().exactOptional(),
});
export type CommandRecord = z.infer<typeof commandRecordSchema>;

export const shellIdSchema = z.string().regex(/^[0-9a-f]{12}$/);

export const shellRecordSchema = z.object({
  version: z.literal(1),
  id: shellIdSchema,
  /** Process id on the guest's channel */
  process: z.string(),
  program: z.string(),
  cwd: z.string(),
  /** Sizes of the terminal, each with the offset of the stream from which it holds; the last holds now */
  sizes: z.array(z.object({ at: z.number(), cols: z.number(), rows: z.number() })).min(1),
  /** Times are `s` since 1970 */
  started_at: z.number(),
  ended_at: z.number().nullable(),
  exit_code: z.number().nullable(),
  lost: z.boolean(),
});
export type ShellRecord = z.infer<typeof shellRecordSchema>;

export const serviceNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export const serviceRecordSchema = z.object({
  version: z.literal(1),
  name: z.string().regex(serviceNamePattern),
  command: z.string(),
  cwd: z.string(),
  env: z.record(z.string(), z.string()),
  /** Secrets for its environment, by name: their values are in no file */
  secret_env: z.array(z.string()).default([]),
  ready_file: z.string().nullable(),
  ready_tcp: z.string().nullable(),
  ready_http: z.string().nullable(),
  ready_command: z.string().nullable(),
  ready_timeout_ms: z.number(),
  ready_interval_ms: z.number(),
  restart_policy: z.enum(['never', 'on-failure', 'always']),
  ports: z.array(
    z.object({
      /** Null for any free one */
      host_port: z.number().nullable(),
      guest_port: z.number(),
      /** The one that it got, which it keeps as long as nobody else takes it */
      given_port: z.number().nullable().default(null),
    }),
  ),
  /** False once someone has stopped it: then it does not restart by itself */
  is_wanted: z.boolean(),
  state: z.enum(['starting', 'running', 'restarting', 'exited', 'stopped', 'failed']),
  stop_reason: z.string().nullable(),
  /** Process id on the guest's channel; null while there is none */
  process: z.string().nullable(),
  pid: z.number().nullable(),
  /** Where in the logs the output of this process begins */
  base: z.object({ stdout: z.number(), stderr: z.number() }),
  /** Times are `s` since 1970 */
  started_at: z.number(),
  ready_at: z.number().nullable(),
  ended_at: z.number().nullable(),
  exit_code: z.number().nullable(),
  restart_count: z.number(),
  /** Restarts since it last ran for long */
  attempts: z.number(),
});
export type ServiceRecord = z.infer<typeof serviceRecordSchema>;

export const eventSchema = z.object({
  /** `s` since 1970 */
  at: z.number(),
  kind: z.enum([
    'created',
    'reset',
    'export',
    'apply',
    'sync',
    'patch',
    'started',
    'stopped',
    'restarted',
    'snapshot',
    'service',
    'shell',
  ]),
  detail: z.string(),
});
export type WorkspaceEvent = z.infer<typeof eventSchema>;
