// Stand-ins for the programs of the chat hosts, which treat their configuration files as the real ones do.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { vi } from 'vitest';
import type { HostConnectInput } from '../../src/contract/machine.ts';
import { createHosts } from '../../src/hosts/hosts.ts';
import type { CallContext } from '../../src/shared/call-context.ts';
import type { HostName } from '../../src/shared/host-types.ts';
import { serverOptionsSchema } from '../../src/shared/server-options.ts';
import { environmentVariables } from '../../src/system/environment-variables.ts';

const root = new URL('../..', import.meta.url).pathname;
export const launcher = join(root, 'bin', 'pyro');
export const context: CallContext = { signal: new AbortController().signal, onProgress: () => undefined };

export interface FakeHome extends Disposable {
  readonly home: string;
  /** Where the user stands: a Git checkout */
  readonly project: string;
  readonly hosts: ReturnType<typeof createHosts>;
  readonly read: (path: string) => string;
  /** Writes a file below the home folder */
  readonly write: (path: string, text: string, mode?: number) => string;
  /** Puts the program of a host on PATH; `broken` makes each change fail */
  readonly install: (host: HostName, kind?: 'working' | 'broken') => void;
  /** Command lines that the programs have seen */
  readonly calls: () => string[];
}

/** A home folder of the test's own, with a PATH that has none of the hosts until they are installed. */
export function makeHome(): FakeHome {
  const home = mkdtempSync(join(tmpdir(), 'pyro-hosts-'));
  const bin = join(home, 'bin');
  const project = join(home, 'project');
  mkdirSync(bin);
  mkdirSync(join(project, '.git'), { recursive: true });
  vi.stubEnv('HOME', home);
  vi.stubEnv('PATH', `${bin}:/usr/bin:/bin`);
  // Whatever the machine has set of what an entry may pass on, or that leads to other files.
  for (const name of Object.keys(environmentVariables).filter((each) => each !== 'HOME' && each !== 'PATH'))
    vi.stubEnv(name, '');
  const log = join(home, 'calls.log');
  writeFileSync(log, '');
  const path = (name: string): string => join(home, name);
  return {
    home,
    project,
    hosts: createHosts(project),
    read: (name) => readFileSync(path(name), 'utf8'),
    write: (name, text, mode = 0o600) => {
      mkdirSync(dirname(path(name)), { recursive: true });
      writeFileSync(path(name), text);
      chmodSync(path(name), mode);
      return path(name);
    },
    install: (host, kind = 'working') => {
      const { program, text } = programs[host];
      const head = `#!${process.execPath}\n${prelude(log, kind)}`;
      // The folder has no package.json, so that the ending alone says what kind of module it is.
      writeFileSync(join(bin, `${program}.mjs`), head + text);
      writeFileSync(join(bin, program), `#!/bin/sh\nexec ${process.execPath} ${join(bin, program)}.mjs "$@"\n`);
      chmodSync(join(bin, program), 0o755);
    },
    calls: () =>
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    [Symbol.dispose]: () => {
      vi.unstubAllEnvs();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

export function requestFor(
  host: HostName,
  more: Partial<HostConnectInput> & { readonly flags?: object } = {},
): HostConnectInput {
  const { flags = {}, ...rest } = more;
  return {
    host,
    scope: undefined,
    ...serverOptionsSchema.parse(flags),
    npx: false,
    approve: false,
    dry_run: false,
    ...rest,
  };
}

function prelude(log: string, kind: 'working' | 'broken'): string {
  return `
import fs from 'node:fs';
import path from 'node:path';
const args = process.argv.slice(2);
fs.appendFileSync(${JSON.stringify(log)}, path.basename(process.argv[1], '.mjs') + ' ' + args.join(' ') + '\\n');
const isBroken = ${JSON.stringify(kind === 'broken')};
const home = process.env.HOME;
const fail = (text) => { process.stderr.write(text + '\\n'); process.exit(1); };
const readText = (file) => { try { return fs.readFileSync(file, 'utf8').replace(/^\\uFEFF/, ''); } catch { return ''; } };
const canRun = (command) => path.isAbsolute(command)
  ? fs.existsSync(command) : process.env.PATH.split(':').some((folder) => fs.existsSync(path.join(folder, command)));
`;
}

const programs: Readonly<Record<HostName, { readonly program: string; readonly text: string }>> = {
  'claude-code': {
    program: 'claude',
    text: `
if (args[0] === '--version') { console.log('2.1.331 (Claude Code)'); process.exit(0); }
const user = path.join(home, '.claude.json');
const project = path.join(process.cwd(), '.mcp.json');
const open = (file) => {
  const text = readText(file);
  try { return text === '' ? {} : JSON.parse(text); } catch (error) { fail('Configuration error in ' + file + ': ' + error.message); }
};
const labels = { local: 'Local config (private to you in this project)', user: 'User config (available in all your projects)', project: 'Project config (shared via .mcp.json)' };
const tableOf = (config, scope) => {
  if (scope === 'local') { config.projects ??= {}; config.projects[process.cwd()] ??= {}; return config.projects[process.cwd()].mcpServers ??= {}; }
  return config.mcpServers ??= {};
};
const fileOf = (scope) => (scope === 'project' ? project : user);
const [, verb, ...rest] = args;
if (isBroken && verb !== 'get') fail('no permission to change the configuration');
const take = (flag) => { const at = rest.indexOf(flag); return at < 0 ? undefined : rest.splice(at, 2)[1]; };
if (verb === 'add') {
  const scope = take('-s') ?? 'local';
  const at = rest.indexOf('--');
  const name = rest[0];
  const config = open(fileOf(scope));
  const table = tableOf(config, scope);
  if (table[name] !== undefined) fail('MCP server ' + name + ' already exists in ' + scope + ' config');
  table[name] = { type: 'stdio', command: rest[at + 1], args: rest.slice(at + 2), env: {} };
  fs.writeFileSync(fileOf(scope), JSON.stringify(config, null, 2));
} else if (verb === 'get') {
  for (const scope of ['local', 'project', 'user']) {
    const entry = tableOf(open(fileOf(scope)), scope)[rest[0]];
    if (entry === undefined) continue;
    const status = scope === 'project' ? '⏸ Pending approval' : canRun(entry.command) && !isBroken ? '✔ Connected' : '✘ Failed to connect';
    console.log([rest[0] + ':', '  Scope: ' + labels[scope], '  Status: ' + status, '  Type: stdio', '  Command: ' + entry.command, '  Args: ' + (entry.args ?? []).join(' ')].join('\\n'));
    process.exit(0);
  }
  fail('No MCP server named "' + rest[0] + '".');
}
`,
  },
  codex: {
    program: 'codex',
    text: `
import { parse, stringify } from ${JSON.stringify(join(root, 'node_modules/smol-toml/dist/index.js'))};
if (args[0] === '--version') { console.log('codex-cli 0.169.0'); process.exit(0); }
process.stderr.write('WARNING: proceeding, even though we could not create PATH aliases\\n');
const file = path.join(home, '.codex', 'config.toml');
const [, verb, name, ...rest] = args;
const open = () => { try { return parse(readText(file)); } catch (error) { fail('Error: failed to load bootstrap configuration\\n' + error.message); } };
const config = open();
config.mcp_servers ??= {};
if (isBroken && verb !== 'get') fail('Error: read-only configuration');
if (verb === 'add') {
  const at = rest.indexOf('--');
  const entry = { command: rest[at + 1], args: rest.slice(at + 2) };
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const isNew = config.mcp_servers[name] === undefined;
  config.mcp_servers[name] = entry;
  const text = isNew ? readText(file) + '\\n' + stringify({ mcp_servers: { [name]: entry } }) : stringify(config);
  fs.writeFileSync(file, text);
} else if (verb === 'get') {
  const entry = config.mcp_servers[name];
  if (entry === undefined) fail("Error: No MCP server named '" + name + "' found.");
  console.log(JSON.stringify({ name, enabled: isBroken ? false : entry.enabled ?? true, transport: { type: 'stdio', command: entry.command, args: entry.args ?? [], env: entry.env ?? null, env_vars: entry.env_vars ?? [], cwd: null }, startup_timeout_sec: entry.startup_timeout_sec ?? null, tool_timeout_sec: entry.tool_timeout_sec ?? null }));
}
`,
  },
  opencode: {
    program: 'opencode',
    text: `
import { parse } from ${JSON.stringify(join(root, 'node_modules/jsonc-parser/lib/umd/main.js'))};
if (args[0] === '--version') { console.log('1.18.33'); process.exit(0); }
const files = [path.join(home, '.config/opencode/opencode.json'), path.join(home, '.config/opencode/opencode.jsonc'), path.join(process.cwd(), 'opencode.json')];
const servers = {};
for (const file of files) {
  const errors = [];
  const config = parse(readText(file) || '{}', errors, { allowTrailingComma: true });
  if (errors.length > 0) fail('Error: Config file at ' + file + ' is not valid JSON(C)');
  Object.assign(servers, config.mcp ?? {});
}
console.log('┌  MCP Servers\\n│');
for (const [name, entry] of Object.entries(servers)) {
  const state = entry.enabled === false ? '○ ' + name + ' \\u001b[90mdisabled' : canRun(entry.command[0]) && !isBroken ? '✓ ' + name + ' \\u001b[90mconnected' : '✗ ' + name + ' \\u001b[90mfailed';
  console.log('●  ' + state + '\\n│      \\u001b[90m' + entry.command.join(' ') + '\\n│');
}
console.log('└  ' + Object.keys(servers).length + ' server(s)');
`,
  },
};
