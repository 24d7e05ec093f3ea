// What fronts and the daemon say to each other: the bodies, the frames of an answer, and who understands whom.
import { z } from 'zod';
import type { CallContext } from '../shared/call-context.ts';
import { errorCodes } from '../shared/error-codes.ts';
import { type ErrorReport, PyroError } from '../shared/errors.ts';
import {
  type HostPathPolicy,
  type NetworkCeiling,
  networkCeilings,
  type ProjectSource,
  packageSourceKinds,
} from '../shared/policy-types.ts';

/** Raised when an older front could no longer be understood. It stands in the path of a call. */
export const protocolNumber = 1;
/** Longest request, `bytes`: the longest patch, with what JSON adds to it */
export const longestBody = 48 * 1024 * 1024;
export const versionHeader = 'pyro-version';
/** Asking for the status and for the end works between all versions: a newer pyro must be able to end an older one. */
export const statusPath = '/v1/status';
export const stopPath = '/v1/stop';
export const callPath = `/v${protocolNumber}/call`;
/** A call with streams: the connection is upgraded */
export const livePath = `/v${protocolNumber}/live`;
/** Ends a call that somebody means to end: one whose connection closes may go on */
export const cancelPath = `/v${protocolNumber}/cancel`;
/** Name of a call, for its cancel */
export const callHeader = 'pyro-call';

/** What an operation gets of its caller, on both sides. */
export interface CallerContext extends CallContext {
  readonly hostPaths: HostPathPolicy;
  readonly project: ProjectSource | undefined;
  readonly network: NetworkCeiling | undefined;
}

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

/** The error that another process reported; a code that this version does not know is a fault like any other. */
export function errorFromReport({ code, message, hint, details }: ErrorReport): PyroError {
  const known = Object.keys(errorCodes).find((each): each is keyof typeof errorCodes => each === code);
  return new PyroError(known ?? 'internal', message, { ...(hint === null ? {} : { hint }), details });
}
