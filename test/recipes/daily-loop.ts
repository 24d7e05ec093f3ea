// make smoke-daily-loop: what somebody does each day, from doctor and prepare to a reset in place of a new workspace.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { root } from '../support/documents.ts';
import { executable } from '../support/real-home.ts';
import { cleanEnvironment, runCommand } from './command.ts';
import { interruptible } from './interruptible.ts';
import { textIn } from './recipe.ts';
import { playScene, type RunOptions, type Scene } from './scene.ts';
import { openSession } from './session.ts';

const doctorSchema = z.object({
  ready: z.boolean(),
  checks: z.array(z.object({ name: z.string(), message: z.string() })),
});
const connectSchema = z.object({ dry_run: z.boolean(), changes: z.array(z.looseObject({ written: z.boolean() })) });
const printSchema = z.object({ snippet: z.string() });
const snippetSchema = z.object({
  mcp: z.object({ pyro: z.object({ type: z.literal('local'), command: z.array(z.string()).min(3) }) }),
});

/** A command as it is typed, with its result as data. */
type Pyro = <T>(schema: z.ZodType<T>, args: readonly string[], env?: Readonly<Record<string, string>>) => Promise<T>;

function pyroOf({ project, record }: Scene, options: RunOptions): Pyro {
  return async (schema, args, env = options.env) => {
    const end = record.begin(`pyro ${args.slice(0, 2).join(' ')}`, args.slice(2).join(' '));
    const result = await runCommand(executable, [...args, '--json'], { cwd: project, env, signal: options.signal });
    end(`exit code ${result.exitCode}`);
    if (result.exitCode !== 0) throw new Error(`pyro ${args.join(' ')}: ${result.output}`);
    return schema.parse(JSON.parse(result.stdout));
  };
}

/** The chat hosts' side of a person with nothing installed but their configuration folders. */
function makeHome({ folder }: Scene, env: Readonly<Record<string, string>>): Record<string, string> {
  const home = join(folder, 'home');
  mkdirSync(home);
  writeFileSync(join(home, '.claude.json'), '{}\n');
  const { CODEX_HOME: _codex, CLAUDE_CONFIG_DIR: _claude, XDG_CONFIG_HOME: _xdg, ...rest } = env;
  return { ...rest, HOME: home, PATH: '/usr/bin:/bin' };
}

/** Gives the command that a chat host would start. */
async function connectHosts(scene: Scene, pyro: Pyro, options: RunOptions): Promise<readonly string[]> {
  const env = makeHome(scene, options.env);
  const connected = await pyro(connectSchema, ['host', 'connect', 'claude-code', '--dry-run'], env);
  scene.check('a dry run says what it would add', connected, { dry_run: true, changes: [{ action: 'added' }] });
  scene.check('and writes nothing', readFileSync(join(scene.folder, 'home', '.claude.json'), 'utf8'), '{}\n');
  const { snippet } = await pyro(printSchema, ['host', 'print-config', 'opencode'], env);
  scene.check('nor does printing', readdirSync(join(scene.folder, 'home')), ['.claude.json']);
  return snippetSchema.parse(JSON.parse(snippet)).mcp.pyro.command;
}

async function workFor(scene: Scene, command: readonly string[], options: RunOptions): Promise<void> {
  const { check, named, label, project, record } = scene;
  const [file = '', ...args] = command;
  const server = { command: file, args, env: options.env, cwd: project };
  await using session = await openSession(server, record, options.signal);
  const created = await session.call('workspace_create', { name: named('daily'), labels: [label] });
  const id = textIn(created, 'workspace_id');
  check('the printed command starts a server that knows the project', created['workspace_seed'], { origin_kind: 'cwd' });
  const spoil = 'rm README.md; touch /usr/local/installed; ls -A /workspace /usr/local/installed';
  const spoiled = await session.call('workspace_exec', { workspace_id: id, command: spoil });
  check('the machine is spoiled', spoiled, { exit_code: 0, stdout: '/usr/local/installed\n\n/workspace:\n.git\n' });
  const reset = await session.call('workspace_reset', { workspace_id: id });
  check('a reset in place of another workspace', reset, { workspace_id: id, reset_count: 1, state: 'started' });
  const look = 'cat README.md; ls /usr/local/installed';
  const looked = await session.call('workspace_exec', { workspace_id: id, command: look });
  check('the whole machine is as at the beginning', looked, { exit_code: 2, stdout: '# Daily\n' });
  check('the workspace is gone', await session.call('workspace_delete', { workspace_id: id }), { deleted: true });
}

const signal = interruptible();
const onLine = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const options = { env: cleanEnvironment(), artifacts: join(root, 'artifacts', 'recipes'), signal, onLine };
const request = { name: 'daily-loop', server: 'pyro mcp serve', files: { 'README.md': '# Daily\n' } };
const { report, files } = await playScene(request, options, async (scene) => {
  const pyro = pyroOf(scene, options);
  scene.check('doctor says ready', await pyro(doctorSchema, ['doctor']), { ready: true });
  await pyro(z.object({ reset_ms: z.number() }), ['prepare', 'debian:12']);
  const { checks } = await pyro(doctorSchema, ['doctor', '--environment', 'debian:12']);
  const environment = checks.find(({ name }) => name.includes('environment'));
  scene.check('doctor says warm after prepare', environment?.message, /^warm\b/);
  await workFor(scene, await connectHosts(scene, pyro, options), options);
});
for (const file of files) onLine(`  ${relative(process.cwd(), file)}`);
onLine(report.passed ? '1 passed, 0 failed' : '0 passed, 1 failed');
if (!report.passed) process.exitCode = signal.aborted ? 130 : 1;
