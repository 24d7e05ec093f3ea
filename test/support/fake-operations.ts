// A few operations that need no guest, for tests of what stands around operations.
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type AnyOperation, defineOperation } from '../../src/operations/define.ts';
import { PyroError } from '../../src/shared/errors.ts';
import { isNoLongerWaiting } from '../../src/shared/leaving.ts';
import { writeTo } from '../../src/shared/write-to.ts';

const profiles = ['workspace-core', 'workspace-full'] as const;
const common = {
  title: 'Fake',
  summary: 'A fake',
  details: 'For tests.',
  place: 'daemon',
  positionals: [],
  examples: [],
} as const;

const echo = defineOperation({
  ...common,
  name: 'fake.echo',
  effect: 'read',
  tool: { profiles, isAlwaysLoaded: true, resultChars: 50_000 },
  input: z.strictObject({
    text: z.string().max(20_000_000).describe('Text to give back'),
    count: z.number().int().min(1).max(3).default(1).describe('How often'),
  }),
  output: z.object({ text: z.string(), pid: z.number() }),
  run: async (_context, { text, count }) => ({ text: text.repeat(count), pid: process.pid }),
  render: ({ text, pid }) => `${text} from ${pid}\n`,
});

/** Tells in the file `mark` how it ended, which is how a test sees an abort. */
const wait = defineOperation({
  ...common,
  name: 'fake.wait',
  effect: 'write',
  tool: { profiles },
  input: z.strictObject({
    ms: z.number().int().min(0).max(600_000).describe('How long, ms'),
    mark: z.string().default('/dev/null').describe('File that gets a word for the start and one for the end'),
  }),
  output: z.object({ waited_ms: z.number() }),
  run: async ({ signal, onProgress }, { ms, mark }) => {
    appendFileSync(mark, 'started\n');
    onProgress({ phase: 'waiting', message: `waiting ${ms} ms`, doneBytes: 1, totalBytes: 4 });
    try {
      await sleep(ms, undefined, { signal });
    } catch (error) {
      appendFileSync(mark, 'aborted\n');
      throw error;
    }
    appendFileSync(mark, 'done\n');
    return { waited_ms: ms };
  },
  render: ({ waited_ms }) => `waited ${waited_ms}\n`,
});

/** Gives back what it was told of its caller. */
const seeded = defineOperation({
  ...common,
  name: 'fake.seeded',
  effect: 'destroy',
  tool: { profiles, isIdempotent: true, opensWorld: true },
  hostPathFields: ['seed_path'],
  input: z.strictObject({
    environment: z.string().optional().describe('Environment'),
    seed_path: z.string().optional().describe('Seed'),
    network_policy: z.enum(['off', 'egress', 'egress+published-ports']).default('off').describe('Network'),
    package_sources: z.string().default('none').describe('Packages'),
    allow_host_compat: z.boolean().default(false).describe('Host'),
  }),
  output: z.object({
    environment: z.string().nullable(),
    seed_path: z.string().nullable(),
    network_policy: z.string(),
    package_sources: z.string(),
    project: z.string().nullable(),
    origin_kind: z.string().nullable(),
    origin_ref: z.string().nullable(),
    folders: z.array(z.string()),
    ceiling: z.string(),
    allow: z.array(z.string()),
  }),
  run: async ({ project, hostPaths, network }, input) => ({
    environment: input.environment ?? null,
    seed_path: input.seed_path ?? null,
    network_policy: input.network_policy,
    package_sources: input.package_sources,
    project: project?.path ?? null,
    origin_kind: project?.originKind ?? null,
    origin_ref: project?.originRef ?? null,
    folders: hostPaths === 'any' ? ['any'] : [...hostPaths.folders],
    ceiling: network?.policy ?? 'none',
    allow: [...(network?.allow ?? [])],
  }),
  render: (output) => `${JSON.stringify(output)}\n`,
});

const fail = defineOperation({
  ...common,
  name: 'fake.fail',
  effect: 'read',
  tool: { profiles },
  input: z.strictObject({ how: z.enum(['known', 'bug', 'crash']).describe('Kind of failure') }),
  output: z.object({}),
  run: async (_context, { how }) => {
    if (how === 'crash') process.kill(process.pid, 'SIGKILL');
    if (how === 'known') {
      throw new PyroError('disk_full', 'no room in the test', {
        hint: 'make some',
        details: { free: 3, names: ['a'] },
      });
    }
    throw new TypeError('a secret detail of the code');
  },
  render: () => '',
});

/** Writes so many bytes, or copies its input, to the live output; tells in the file `mark` how it ended and by which signal. */
const live = defineOperation({
  ...common,
  name: 'fake.live',
  effect: 'write',
  isLive: true,
  terminal: 'asked',
  input: z.strictObject({
    bytes: z.number().int().min(0).default(0).describe('How many to write'),
    copy: z.boolean().default(false).describe('Copy the input'),
    hang: z.boolean().default(false).describe('End by a signal only'),
    mark: z.string().default('/dev/null').describe('File that gets a word for each event'),
  }),
  output: z.object({ received: z.number(), signal: z.string().nullable() }),
  run: async ({ io, signal }, { bytes, copy, hang, mark }) => {
    const ended = Promise.withResolvers<string>();
    ended.promise.catch(() => undefined);
    const onAbort = (): void => {
      appendFileSync(mark, isNoLongerWaiting(signal.reason) ? 'left\n' : 'cancelled\n');
      ended.reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const undo = io?.onStarted({
      signal: (name) => {
        appendFileSync(mark, `${name}\n`);
        ended.resolve(name);
      },
      resize: () => undefined,
      followedBy: 'pyro fake follow',
    });
    appendFileSync(mark, 'started\n');
    let received = 0;
    try {
      for (let left = bytes; left > 0 && io?.stdout !== undefined; left -= 65_536) {
        await Promise.race([writeTo(io.stdout, Buffer.alloc(Math.min(left, 65_536), 0x61), signal), ended.promise]);
      }
      if (copy && io?.stdin !== undefined) {
        for await (const chunk of io.stdin) {
          received += Buffer.from(chunk).length;
          if (io.stdout !== undefined) await writeTo(io.stdout, Buffer.from(chunk), signal);
        }
      }
      const by = hang ? await ended.promise : null;
      return { received, signal: by };
    } finally {
      signal.removeEventListener('abort', onAbort);
      undo?.();
    }
  },
  render: ({ received }) => `${received}\n`,
});

export const fakeOperations: readonly AnyOperation[] = [echo, wait, seeded, fail, live];
