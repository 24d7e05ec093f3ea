// OpenCode: a file of the user and one of the project, both read as JSON with comments; the project's wins.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { checkoutAround } from '../../system/checkout.ts';
import { readVariable } from '../../system/environment-variables.ts';
import { exists } from '../../system/files.ts';
import { type HostAdapter, leastCallTimeoutMs } from '../adapter.ts';
import { stripColours } from '../strip-colours.ts';

const entrySchema = z.object({
  command: z.array(z.string()).min(1),
  environment: z.record(z.string(), z.string()).default({}),
  enabled: z.boolean().default(true),
  timeout: z.number().optional(),
});
const callTimeoutMs = 60_000;
/** The same limit holds for the start, in which a cold npx downloads the package. */
const npxTimeoutMs = 120_000;

export const adapter: HostAdapter = {
  name: 'opencode',
  title: 'OpenCode',
  program: 'opencode',
  installCommand: 'npm install -g opencode-ai',
  defaultScope: 'user',
  places: async (folder) => {
    const config = join(readVariable('XDG_CONFIG_HOME') ?? join(homedir(), '.config'), 'opencode');
    const project = (await checkoutAround(folder)) ?? folder;
    return [
      {
        scope: 'project',
        path: await oneThatIsThere(project, ['opencode.json', 'opencode.jsonc']),
        format: 'jsonc',
        table: ['mcp'],
      },
      {
        scope: 'user',
        path: await oneThatIsThere(config, ['opencode.jsonc', 'opencode.json']),
        format: 'jsonc',
        table: ['mcp'],
      },
    ];
  },
  readEntry: (raw) => {
    const entry = entrySchema.safeParse(raw).data;
    if (entry === undefined) return undefined;
    return {
      command: entry.command,
      env: entry.environment,
      isEnabled: entry.enabled,
      // Its own limit is 5 s, but that of progress it starts again.
      callTimeoutMs: entry.timeout ?? 5000,
      startTimeoutMs: undefined,
      passedVariables: undefined,
    };
  },
  fields: ({ command, isNpx }, raw) => {
    const old = entrySchema.partial().safeParse(raw).data;
    const least = isNpx ? npxTimeoutMs : leastCallTimeoutMs;
    return {
      type: 'local',
      command,
      ...(raw === undefined || old?.enabled === false ? { enabled: true } : {}),
      ...((old?.timeout ?? 0) < least ? { timeout: isNpx ? npxTimeoutMs : callTimeoutMs } : {}),
      url: undefined,
      headers: undefined,
    };
  },
  addArguments: undefined,
  removeCommand: (name, { path }) => `remove "${name}" from ${path}`,
  connectCommand: 'pyro host print-config opencode --write',
  verifyArguments: ['mcp', 'list'],
  judge: ({ exitCode, stdout, stderr }) => {
    const line = `${stripColours(stdout)}\n${stripColours(stderr)}`
      .split('\n')
      .find((each) => /[✓✗○⚠◌] pyro\b/.test(each));
    if (exitCode !== 0 || line === undefined) {
      return { status: 'fail', text: exitCode === 0 ? 'it does not list pyro' : stripColours(stderr).trim() };
    }
    const text = line.slice(line.search(/[✓✗○⚠◌]/)).trim();
    if (text.startsWith('✓')) return { status: 'ok', text };
    return { status: text.startsWith('✗') ? 'fail' : 'warn', text };
  },
};

/** The first that is there; the first of all where none is. */
async function oneThatIsThere(folder: string, names: readonly [string, ...string[]]): Promise<string> {
  for (const name of names) if (await exists(join(folder, name))) return join(folder, name);
  return join(folder, names[0]);
}
