// run: one command in a fresh guest, which is deleted afterwards.
import { z } from 'zod';
import { defineOperation } from './define.ts';
import { environmentField, memMibField, packageSourcesField, vcpuCountField } from './scalars.ts';
import { envField } from './workspace-scalars.ts';

export const runOutput = z.object({
  vm_id: z.string(),
  environment: z.string(),
  environment_version: z.string().describe('Digest of the environment'),
  command: z.array(z.string()),
  stdout: z.string(),
  stderr: z.string(),
  stdout_truncated: z.boolean(),
  stderr_truncated: z.boolean(),
  is_utf8: z.boolean().describe('False when bytes that are no text were replaced'),
  exit_code: z.number(),
  timed_out: z.boolean(),
  duration_ms: z.number(),
  boot_ms: z.number(),
  boot_source: z.enum(['template', 'cold', 'none']),
  execution_mode: z.enum(['guest', 'host_compat']),
  accelerator: z.enum(['kvm', 'tcg', 'none']),
  denied_connections: z.array(z.object({ target: z.string(), rule: z.string(), reason: z.string() })),
  network_note: z.string().nullable(),
  program_note: z.string().nullable().describe('Where a program is that was not found'),
  cleanup: z.object({ deleted: z.boolean(), reason: z.string() }),
});

/** Most of each stream in the result, `bytes` */
const resultBytes = 8 * 1024 * 1024;

export const run = defineOperation({
  name: 'run',
  title: 'Run a command in a fresh guest',
  summary: 'Run one command in a fresh guest, then delete the guest',
  details:
    "The image's WorkingDir, User and Env hold unless told otherwise. An environment that is not cached is pulled first. Standard input, output and error are live; the exit code is the command's own, 124 after a timeout. On a terminal the command gets one too, and then no timeout unless it is given.",
  effect: 'write',
  place: 'front',
  positionals: ['environment'],
  rest: 'command',
  hostPathFields: ['seed_path'],
  isLive: true,
  settings: ['vcpu_count', 'mem_mib', 'timeout_seconds', 'network_policy', 'package_sources'],
  input: z.strictObject({
    environment: environmentField,
    command: z.array(z.string()).min(1, 'a command is needed after --').describe('Command and its arguments'),
    vcpu_count: vcpuCountField,
    mem_mib: memMibField,
    timeout_seconds: z
      .number()
      .min(0.1)
      .max(86_400)
      .optional()
      .describe('Time limit of the command, seconds; 30 unless on a terminal'),
    env: envField,
    cwd: z.string().optional().describe("Working directory in the guest; the image's unless given"),
    user: z.string().optional().describe("User in the guest, NAME, UID or UID:GID; the image's unless given"),
    seed_path: z.string().optional().describe('Folder, Git checkout or tar archive of the host for /workspace'),
    network_policy: z.enum(['off', 'egress']).default('off').describe('Way out of the guest'),
    allow: z
      .array(z.string())
      .default([])
      .describe('Hosts that may be reached: host, *.domain, host:port or CIDR; public addresses unless given'),
    package_sources: packageSourcesField,
    cold: z.boolean().default(false).describe('Boot the guest in place of restoring the template'),
    allow_host_compat: z
      .boolean()
      .default(false)
      .describe('Run on this host, without isolation, when no guest can be started'),
  }),
  output: runOutput,
  examples: [
    { why: 'The version of git in Debian 12', command: 'pyro run debian:12 -- git --version' },
    { why: 'A shell in a guest', command: 'pyro run -it debian:12 -- bash' },
    { why: 'The tests of the checkout in this folder', command: 'pyro run debian:12-build --seed-path . -- make test' },
    {
      why: 'With the package sources of this machine',
      command: 'pyro run node:24 --package-sources host --seed-path . --timeout-seconds 300 -- npm ci',
    },
    { why: 'Through a pipe', command: 'echo hello | pyro run debian:12 -- tr a-z A-Z' },
    { why: 'The result as data', command: 'pyro run debian:12 --json -- sh -c "exit 3"' },
  ],
  run: async ({ engine, io, signal, onProgress, network }, input) => {
    const seconds = input.timeout_seconds ?? (io?.terminal === undefined ? 30 : undefined);
    const request = {
      environment: input.environment,
      argv: input.command,
      vcpuCount: input.vcpu_count,
      memMib: input.mem_mib,
      timeoutMs: seconds === undefined ? undefined : Math.round(seconds * 1000),
      env: input.env,
      cwd: input.cwd,
      user: input.user,
      isCold: input.cold,
      seedPath: input.seed_path,
      networkPolicy: input.network_policy,
      allow: input.allow,
      packageSources: input.package_sources,
      ceiling: network,
      allowHostCompat: input.allow_host_compat,
      outputBytes: resultBytes,
    };
    return { ...(await engine.run(request, io, { signal, onProgress })) };
  },
  render: ({ timed_out: timedOut, denied_connections: denied, network_note: network, program_note: program }) =>
    `${denied.map(({ target, reason }) => `[network] ${target} refused: ${reason}\n`).join('')}${network === null ? '' : `[network] ${network}\n`}${program === null ? '' : `[run] ${program}\n`}${timedOut ? 'timed out; the guest was deleted\n' : ''}`,
  exitCode: (output) => output.exit_code,
});
