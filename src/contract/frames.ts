// What fronts and the daemon say to each other: bodies of requests, frames of an answer, messages of a call with streams.
import { z } from 'zod';
import { networkCeilings, packageSourceKinds } from '../shared/policy-types.ts';

const text = z.string().max(65_536);

export const callSchema = z.strictObject({
  operation: z.string().max(128),
  input: z.record(z.string(), z.unknown()),
  context: z.strictObject({
    host_paths: z.union([z.literal('any'), z.strictObject({ folders: z.array(text).max(1024) })]),
    project: z
      .strictObject({
        path: text,
        originKind: z.enum(['project_path', 'repo_url', 'cwd', 'roots', 'explicit', 'none']),
        originRef: text.nullable(),
        includes: z.array(text).max(1024),
        environment: text.nullable(),
      })
      .nullable(),
    network: z
      .strictObject({
        policy: z.enum(networkCeilings),
        allow: z.array(text).max(1024),
        packageSources: z.enum(packageSourceKinds).default('none'),
      })
      .nullable(),
    front: z.strictObject({ version: z.string().max(64), pid: z.number().int() }),
  }),
});
export type CallBody = z.infer<typeof callSchema>;

export const stopSchema = z.strictObject({ drain: z.boolean() });

export const cancelSchema = z.strictObject({ call: z.string().max(64) });

const reportSchema = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().nullable(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())])),
  retryable: z.boolean(),
});

export const refusalSchema = z.object({ error: reportSchema });

export const frameSchema = z.union([
  z.object({
    progress: z.object({
      phase: z.string(),
      message: z.string(),
      doneBytes: z.number().exactOptional(),
      totalBytes: z.number().exactOptional(),
      isPassing: z.boolean().exactOptional(),
    }),
  }),
  z.object({ output: z.record(z.string(), z.unknown()) }),
  refusalSchema,
]);
export type Frame = z.infer<typeof frameSchema>;

const sizeSchema = z.strictObject({ cols: z.number().int().min(1).max(1000), rows: z.number().int().min(1).max(1000) });

/** The first message of the caller */
export const openingSchema = z.strictObject({
  call: callSchema,
  /** True for what the operation does with `--follow` */
  follows: z.boolean(),
  /** Streams that the caller has; output without one goes into the result */
  stdin: z.boolean(),
  output: z.boolean(),
  terminal: sizeSchema.nullable(),
});
export type Opening = z.infer<typeof openingSchema>;

/** What the caller says later */
export const controlSchema = z.union([
  z.strictObject({ signal: z.string().max(16) }),
  z.strictObject({ resize: sizeSchema }),
  z.strictObject({ end_of_input: z.literal(true) }),
  z.strictObject({ input_failed: z.string().max(1000) }),
  z.strictObject({ cancel: z.literal(true) }),
]);
export type Control = z.infer<typeof controlSchema>;

/** What the daemon says: as in any call, and when it runs, how much input it takes, and the last line of a follow */
export const liveMessageSchema = z.union([
  z.object({ started: z.object({ followed_by: z.string().nullable() }) }),
  z.object({ credit: z.number().int().positive() }),
  z.object({ followed: z.string() }),
  frameSchema,
]);
export type LiveMessage = z.infer<typeof liveMessageSchema>;
