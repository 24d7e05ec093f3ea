// Claude Code: ~/.claude.json for the user and for one project, .mcp.json for everyone who works on a project.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { checkoutAround } from '../../system/checkout.ts';
import { readVariable } from '../../system/environment-variables.ts';
import type { HostAdapter, HostVerdict } from '../adapter.ts';
import { stripColours } from '../strip-colours.ts';

const entrySchema = z.object({
  command: z.string(),
  args: z.array(z.string()).default([]),
  env: z.record(z.string(), z.string()).default({}),
  timeout: z.number().optional(),
});
const settingsSchema = z.object({
  projects: z.record(z.string(), z.object({ disabledMcpServers: z.array(z.string()).default([]) })).default({}),
});

export const adapter: HostAdapter = {
  name: 'claude-code',
  title: 'Claude Code',
  program: 'claude',
  installCommand: 'npm install -g @anthropic-ai/claude-code',
  defaultScope: 'user',
  places: async (folder) => {
    const settings = join(readVariable('CLAUDE_CONFIG_DIR') ?? homedir(), '.claude.json');
    const checkout = await checkoutAround(folder);
    return [
      { scope: 'local', path: settings, format: 'json', table: ['projects', checkout ?? folder, 'mcpServers'] },
      { scope: 'project', path: join(folder, '.mcp.json'), format: 'json', table: ['mcpServers'] },
      { scope: 'user', path: settings, format: 'json', table: ['mcpServers'] },
    ];
  },
  readEntry: (raw) => {
    const entry = entrySchema.safeParse(raw).data;
    if (entry === undefined) return undefined;
    return {
      command: [entry.command, ...entry.args],
      env: entry.env,
      isEnabled: true,
      callTimeoutMs: entry.timeout,
      startTimeoutMs: undefined,
      passedVariables: undefined,
    };
  },
  fields: ({ command: [program, ...args] }, raw) => ({
    type: 'stdio',
    command: program,
    args,
    ...(raw === undefined ? { env: {} } : {}),
    url: undefined,
    headers: undefined,
  }),
  addArguments: (command, scope) => ['mcp', 'add', '-s', scope, 'pyro', '--', ...command],
  removeCommand: (name, { scope }) => `claude mcp remove ${name} -s ${scope}`,
  connectCommand: 'pyro host connect claude-code',
  verifyArguments: ['mcp', 'get', 'pyro'],
  judge: ({ exitCode, stdout, stderr }, entry) => {
    const text = stripColours(stdout);
    if (exitCode !== 0) return { status: 'fail', text: stripColours(stderr).trim() || text.trim() };
    return judgeStatus(text, entry.command);
  },
  isSwitchedOff: (document, folder) => {
    const { data } = settingsSchema.safeParse(document);
    return data?.projects[folder]?.disabledMcpServers.includes('pyro') === true;
  },
};

function judgeStatus(text: string, [program = '', ...args]: readonly string[]): HostVerdict {
  const wordsAt = (label: string): string =>
    new RegExp(`^\\s*${label}:[ \\t]*(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
  const status = wordsAt('Status');
  const scope = wordsAt('Scope');
  const said = `${status} (${scope})`;
  if (wordsAt('Command') !== program || wordsAt('Args') !== args.join(' ')) {
    return {
      status: 'warn',
      text: `${said}; it runs another entry with this name: ${wordsAt('Command')} ${wordsAt('Args')}`,
    };
  }
  if (/connected/i.test(status)) return { status: 'ok', text: said };
  return { status: /failed/i.test(status) ? 'fail' : 'warn', text: said };
}
