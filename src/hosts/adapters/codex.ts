// Codex: one file of the user, ~/.codex/config.toml; its own program drops env and time limits of an entry that it replaces.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { readVariable, type VariableName } from '../../system/environment-variables.ts';
import { type HostAdapter, leastCallTimeoutMs } from '../adapter.ts';
import { stripColours } from '../strip-colours.ts';

const entrySchema = z.object({
  command: z.string(),
  args: z.array(z.string()).default([]),
  env: z.record(z.string(), z.string()).default({}),
  enabled: z.boolean().default(true),
  startup_timeout_sec: z.number().optional(),
  startup_timeout_ms: z.number().optional(),
  tool_timeout_sec: z.number().optional(),
  env_vars: z.array(z.unknown()).default([]),
});
const answerSchema = z.object({
  enabled: z.boolean(),
  transport: z.object({ command: z.string(), args: z.array(z.string()) }),
});

/** A cold npx downloads the package first. */
const startSeconds = { installed: 30, npx: 120 } as const;
const callSeconds = 120;

/** Codex passes next to nothing of the environment on; these decide which daemon and which guests the server finds. */
const ownVariables = [
  'PYRO_HOME',
  'PYRO_GUEST_KIT',
  'PYRO_QEMU',
  'PYRO_ACCELERATOR',
  'PYRO_KVM_DEVICE',
  'PYRO_CONFINEMENT',
  'XDG_CACHE_HOME',
  'XDG_STATE_HOME',
  'XDG_CONFIG_HOME',
  'XDG_RUNTIME_DIR',
  'DOCKER_CONFIG',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'SSL_CERT_FILE',
  'NODE_EXTRA_CA_CERTS',
] as const satisfies readonly VariableName[];

const alwaysPassed = ['HOME', 'LANG', 'LC_ALL', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'TMPDIR', 'TZ', 'USER'];

export const adapter: HostAdapter = {
  name: 'codex',
  title: 'Codex',
  program: 'codex',
  installCommand: 'npm install -g @openai/codex',
  defaultScope: 'user',
  places: async () => {
    const folder = readVariable('CODEX_HOME') ?? join(homedir(), '.codex');
    return [{ scope: 'user', path: join(folder, 'config.toml'), format: 'toml', table: ['mcp_servers'] }];
  },
  readEntry: (raw) => {
    const entry = entrySchema.safeParse(raw).data;
    if (entry === undefined) return undefined;
    const startSec = entry.startup_timeout_sec;
    return {
      command: [entry.command, ...entry.args],
      env: entry.env,
      isEnabled: entry.enabled,
      callTimeoutMs: (entry.tool_timeout_sec ?? 60) * 1000,
      startTimeoutMs: startSec === undefined ? (entry.startup_timeout_ms ?? 10_000) : startSec * 1000,
      passedVariables: [...alwaysPassed, ...entry.env_vars.filter((name) => typeof name === 'string')],
    };
  },
  fields: ({ command: [program, ...args], isNpx, isApproved }, raw) => {
    const old = entrySchema.partial().safeParse(raw).data;
    const leastStart = isNpx ? startSeconds.npx : startSeconds.installed;
    const variables = ownVariables.filter(
      (name) =>
        readVariable(name) !== undefined && old?.env?.[name] === undefined && old?.env_vars?.includes(name) !== true,
    );
    return {
      command: program,
      args,
      ...(isLess(old?.startup_timeout_sec, leastStart) ? { startup_timeout_sec: leastStart } : {}),
      startup_timeout_ms: undefined,
      ...(isLess(old?.tool_timeout_sec, leastCallTimeoutMs / 1000) ? { tool_timeout_sec: callSeconds } : {}),
      ...(old?.enabled === false ? { enabled: true } : {}),
      ...(isApproved ? { default_tools_approval_mode: 'approve' } : {}),
      ...(variables.length === 0 ? {} : { env_vars: [...(old?.env_vars ?? []), ...variables] }),
      url: undefined,
      bearer_token_env_var: undefined,
      http_headers: undefined,
      env_http_headers: undefined,
    };
  },
  addArguments: (command) => ['mcp', 'add', 'pyro', '--', ...command],
  removeCommand: (name) => `codex mcp remove ${name}`,
  connectCommand: 'pyro host connect codex',
  verifyArguments: ['mcp', 'get', 'pyro', '--json'],
  judge: ({ exitCode, stdout, stderr }, entry) => {
    if (exitCode !== 0) return { status: 'fail', text: lastLine(stripColours(stderr)) };
    const answer = answerSchema.safeParse(jsonOf(stdout)).data;
    if (answer === undefined) return { status: 'fail', text: 'the output of codex mcp get is not understood' };
    const { command, args } = answer.transport;
    const isSame = [command, ...args].join('\0') === entry.command.join('\0');
    if (!isSame) return { status: 'fail', text: `codex sees a different command: ${[command, ...args].join(' ')}` };
    return answer.enabled
      ? { status: 'ok', text: 'known and enabled' }
      : { status: 'warn', text: 'known, but disabled' };
  },
};

function isLess(value: number | undefined, least: number): boolean {
  return value === undefined || value < least;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not understood: the schema says so.
    return undefined;
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
