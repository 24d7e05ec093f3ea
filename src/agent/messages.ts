// The messages of the guest channel: each answer of the guest is hostile input and is bounded here.
import { z } from 'zod';

const count = z.number().int().nonnegative();
const exitCode = z.number().int().min(0).max(255);

export const guestErrorSchema = z.object({ code: z.string().max(64), message: z.string().max(4096) });

export const resumeRequestSchema = z.strictObject({
  /** Time now, `ms` since 1970 */
  unix_ms: count,
  entropy: z.base64(),
  hostname: z.string().min(1).max(63),
  machine_id: z.string().regex(/^[0-9a-f]{32}$/),
  magic: z.base64().optional(),
});
export type ResumeRequest = z.infer<typeof resumeRequestSchema>;

export const resumeAnswerSchema = z.object({
  protocol: z.literal(1),
  version: z.string().max(128),
  activated: z.boolean(),
  boot_ms: count,
});
export type ResumeAnswer = z.infer<typeof resumeAnswerSchema>;

export const activateRequestSchema = z.strictObject({ project: z.boolean() });
export type ActivateRequest = z.infer<typeof activateRequestSchema>;
export const activateAnswerSchema = z.object({ mounts_ms: count });

export const terminalSizeSchema = z.strictObject({
  cols: z.number().int().min(1).max(1000),
  rows: z.number().int().min(1).max(1000),
});
export type TerminalSize = z.infer<typeof terminalSizeSchema>;

export const startRequestSchema = z.strictObject({
  argv: z.array(z.string().max(131_072)).min(1).max(4096),
  env: z.record(z.string(), z.string()),
  cwd: z.string().optional(),
  /** Makes that folder, as root's, where it is missing */
  make_cwd: z.boolean().optional(),
  user: z.string().optional(),
  stdin: z.boolean(),
  terminal: terminalSizeSchema.optional(),
  timeout_ms: count.optional(),
  /** Kept output of each stream, `bytes` */
  buffer_bytes: count.optional(),
  overflow: z.enum(['block', 'drop']),
});
export type StartRequest = z.infer<typeof startRequestSchema>;

export const processInfoSchema = z.object({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  pid: count,
  argv: z.array(z.string()).max(4096),
  running: z.boolean(),
  exit_code: exitCode.optional(),
  signal: z.string().max(16).optional(),
  timed_out: z.boolean(),
  stdout_bytes: count,
  stderr_bytes: count,
});
export const processListSchema = z.object({ processes: z.array(processInfoSchema).max(512) });
export const inputAnswerSchema = z.object({ bytes: count });
export const signalRequestSchema = z.strictObject({ signal: z.string(), scope: z.enum(['group', 'all']) });
export type SignalRequest = z.infer<typeof signalRequestSchema>;

/** Exactly one of the three */
export const probeRequestSchema = z.strictObject({
  tcp: z.string().optional(),
  http: z.string().optional(),
  file: z.string().optional(),
});
export type ProbeRequest = z.infer<typeof probeRequestSchema>;

export const probeAnswerSchema = z.object({ ready: z.boolean(), detail: z.string().max(1000) });
export type ProbeAnswer = z.infer<typeof probeAnswerSchema>;

export const statusAnswerSchema = z.object({
  uptime_ms: count,
  memory_total_bytes: count,
  memory_available_bytes: count,
  processes: count,
  activated: z.boolean(),
});

export const emptyAnswerSchema = z.object({});

export const startedEventSchema = z.object({
  event: z.literal('started'),
  id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  pid: count,
});
export const gapEventSchema = z.object({
  event: z.literal('gap'),
  stream: z.enum(['stdout', 'stderr']),
  from: count,
  to: count,
});
export const exitEventSchema = z.object({
  event: z.literal('exit'),
  exit_code: exitCode,
  signal: z.string().max(16).optional(),
  timed_out: z.boolean(),
  stdout_bytes: count,
  stderr_bytes: count,
});
export const eventSchema = z.discriminatedUnion('event', [startedEventSchema, gapEventSchema, exitEventSchema]);
export type GuestEvent = z.infer<typeof eventSchema>;
export type GapEvent = z.infer<typeof gapEventSchema>;
export type ExitEvent = z.infer<typeof exitEventSchema>;
