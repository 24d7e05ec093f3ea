// The real programs of the chat hosts, each in a home folder of the test's own, without account and without network.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { HostName } from '../../src/shared/host-types.ts';
import type { ToolNaming } from './scripted-model.ts';

const root = new URL('../..', import.meta.url).pathname;
export const launcher = join(root, 'bin', 'pyro');

export interface RealHost {
  readonly host: HostName;
  readonly program: string;
  readonly naming: ToolNaming;
  /** Configuration of the model, and the file it goes into */
  readonly modelConfig: (url: string) => { readonly file: string; readonly text: string } | undefined;
  readonly modelVariables: (url: string) => Readonly<Record<string, string>>;
  readonly turnArguments: readonly string[];
  readonly connectArguments: readonly string[];
  /** What the host lists, to be found in its output */
  readonly listArguments: readonly string[];
  readonly healthy: RegExp;
}

export const realHosts: readonly RealHost[] = [
  {
    host: 'claude-code',
    program: 'claude',
    naming: (tool) => ({ name: `mcp__pyro__${tool}` }),
    modelConfig: () => undefined,
    modelVariables: (url) => ({ ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: 'none' }),
    turnArguments: ['-p', 'mend it', '--allowedTools', 'mcp__pyro__*', '--output-format', 'json'],
    connectArguments: ['host', 'connect', 'claude-code'],
    listArguments: ['mcp', 'list'],
    healthy: /^pyro: .*Connected/m,
  },
  {
    host: 'codex',
    program: 'codex',
    naming: (tool) => ({ name: tool, namespace: 'mcp__pyro' }),
    modelConfig: (url) => ({
      file: '.codex/config.toml',
      text: `# mine\nmodel = "scripted"\nmodel_provider = "local"\n\n[model_providers.local]\nname = "local"\nbase_url = "${url}/v1"\nwire_api = "responses"\nenv_key = "LOCAL_KEY"\n`,
    }),
    modelVariables: () => ({ LOCAL_KEY: 'none' }),
    turnArguments: ['exec', '--skip-git-repo-check', 'mend it'],
    connectArguments: ['host', 'connect', 'codex', '--approve'],
    listArguments: ['mcp', 'list'],
    healthy: /^pyro\s.*enabled/m,
  },
  {
    host: 'opencode',
    program: 'opencode',
    naming: (tool) => ({ name: `pyro_${tool}` }),
    modelConfig: (url) => ({
      file: '.config/opencode/opencode.jsonc',
      text: `{\n  // mine\n  "provider": {\n    "local": { "npm": "@ai-sdk/openai-compatible", "options": { "baseURL": "${url}/v1", "apiKey": "none" }, "models": { "scripted": {} } },\n  },\n}\n`,
    }),
    modelVariables: () => ({}),
    turnArguments: ['run', '-m', 'local/scripted', 'mend it'],
    connectArguments: ['host', 'print-config', 'opencode', '--write'],
    listArguments: ['mcp', 'list'],
    healthy: /✓ pyro/,
  },
];

/** Folder of the installed program, or the reason why it cannot be tested here. */
export function locateHost(program: string): { readonly folder: string } | { readonly reason: string } {
  const cache = process.env['PYRO_TEST_HOSTS'];
  if (cache === undefined) return { reason: 'run make test-hosts, which installs it' };
  const name = readdirSync(cache).find(
    (each) => each.startsWith(`${program}-`) && existsSync(join(cache, each, 'installed')),
  );
  if (name === undefined) return { reason: `${program} could not be installed on this machine` };
  return { folder: join(cache, name, 'node_modules', '.bin') };
}

export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface HostHome extends Disposable {
  readonly home: string;
  readonly project: string;
  readonly write: (path: string, text: string) => string;
  readonly run: (program: string, args: readonly string[], env?: Readonly<Record<string, string>>) => Promise<Finished>;
}

/** A home folder with a checkout of a small project in it; programs see nothing of the environment of the test. */
export function makeHostHome(binFolder: string, variables: Readonly<Record<string, string>> = {}): HostHome {
  // Codex makes no helpers below the temporary folder and says so; all else works there.
  const home = mkdtempSync(join(tmpdir(), 'pyro-th-'));
  const project = join(home, 'project');
  mkdirSync(project);
  const env = {
    HOME: home,
    PATH: `${binFolder}:${join(root, 'node_modules/node/bin')}:/usr/bin:/bin:/usr/sbin:/sbin`,
    TERM: 'dumb',
    LANG: 'C.UTF-8',
    DISABLE_AUTOUPDATER: '1',
    DISABLE_TELEMETRY: '1',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    OPENCODE_DISABLE_MODELS_FETCH: '1',
    OPENCODE_DISABLE_AUTOUPDATE: '1',
    ...variables,
  };
  return {
    home,
    project,
    write: (path, text) => {
      mkdirSync(dirname(join(home, path)), { recursive: true });
      writeFileSync(join(home, path), text);
      return join(home, path);
    },
    run: async (program, args, more = {}) => {
      const child = spawn(program, args, {
        cwd: project,
        env: { ...env, ...more },
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 500_000,
      });
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (chunk: Buffer) => {
        stdout += chunk.toString('utf8');
      });
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk.toString('utf8');
      });
      const exitCode = await new Promise<number | null>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', resolve);
      });
      return { exitCode, stdout, stderr };
    },
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true, maxRetries: 3 }),
  };
}

/** Makes the project a checkout with one commit. */
export function commitAll(folder: string): void {
  const git = (...args: string[]): void => {
    const settings = ['-c', 'user.name=Test', '-c', 'user.email=test@example.org', '-c', 'commit.gpgsign=false'];
    execFileSync('git', [...settings, ...args], { cwd: folder, stdio: 'ignore' });
  };
  git('init', '-q');
  git('add', '-A');
  git('commit', '-qm', 'Start');
}
