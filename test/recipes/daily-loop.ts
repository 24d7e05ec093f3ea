// make smoke-daily-loop: what somebody does each day, from doctor and prepare to a reset in place of a new workspace.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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
const connectSchema = z.object({
  dry_run: z.boolean(),
  changes: z.array(z.object({ action: z.string(), diff: z.string() })),
});
const printSchema = z.object({ snippet: z.string() });
const snippetSchema = z.object({
  mcp: z.object({ pyro: z.object({ type: z.literal('local'), command: z.array(z.string()).min(3) }) }),
});

/** A command as it is typed, and what to look for in its result. */
interface Typed<T> {
  readonly args: readonly string[];
  readonly schema: z.ZodType<T>;
  readonly say: (value: T) => string;
  readonly env?: Readonly<Record<string, string>>;
}
type Pyro = <T>(typed: Typed<T>) => Promise<T>;

function pyroOf({ project, record }: Scene, options: RunOptions): Pyro {
  return async ({ args, schema, say, env = options.env }) => {
    const end = record.begin('pyro', args.join(' '));
    const result = await runCommand(executable, [...args, '--json'], { cwd: project, env, signal: options.signal });
    if (result.exitCode !== 0) {
      end(`exit_code ${result.exitCode}`);
      throw new Error(`pyro ${args.join(' ')}: ${result.output}`);
    }
    const value = schema.parse(JSON.parse(result.stdout));
    end(say(value));
    return value;
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
  const connected = await pyro({
    args: ['host', 'connect', 'claude-code', '--dry-run'],
    schema: connectSchema,
    say: ({ changes }) => changes.map(({ action, diff }) => `would be ${action}: ${diff}`).join(', '),
    env,
  });
  scene.check('a dry run says what it would add', connected, { dry_run: true, changes: [{ action: 'added' }] });
  scene.check('and writes nothing', readFileSync(join(scene.folder, 'home', '.claude.json'), 'utf8'), '{}\n');
  const { snippet } = await pyro({
    args: ['host', 'print-config', 'opencode'],
    schema: printSchema,
    say: (printed) => printed.snippet,
    env,
  });
  scene.check('nor does printing', existsSync(join(scene.folder, 'home', '.config')), false);
  return snippetSchema.parse(JSON.parse(snippet)).mcp.pyro.command;
}

async function workFor(scene: Scene, command: readonly string[], options: RunOptions): Promise<void> {
  const { check, named, label, project, record } = scene;
  const [file = '', ...args] = command;
  const server = { command: file, args, env: options.env, cwd: project };
  await using session = await openSession(server, record, options.signal);
  const created = await session.call('workspace_create', { name: named('daily'), labels: label });
  const id = textIn(created, 'workspace_id');
  check('the printed command starts a server that knows the project', created['workspace_seed'], {
    origin_kind: 'cwd',
  });
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
  const doctor = {
    args: ['doctor', '--environment', 'debian:12'],
    schema: doctorSchema,
    say: ({ ready }: z.infer<typeof doctorSchema>) => (ready ? 'ready' : 'not ready'),
  };
  scene.check('doctor says ready', await pyro(doctor), { ready: true });
  await pyro({
    args: ['prepare', 'debian:12'],
    schema: z.object({ start_ms: z.number(), reset_ms: z.number() }),
    say: ({ start_ms: start, reset_ms: reset }) => `start ${start} ms, reset ${reset} ms`,
  });
  const { checks } = await pyro(doctor);
  const environment = checks.find(({ name }) => name === 'environment debian:12');
  scene.check('doctor says warm after prepare', environment?.message, /^warm\b/);
  await workFor(scene, await connectHosts(scene, pyro, options), options);
});
for (const file of files) onLine(`  ${relative(process.cwd(), file)}`);
onLine(report.passed ? '1 passed, 0 failed' : '0 passed, 1 failed');
if (!report.passed) process.exitCode = signal.aborted ? 130 : 1;
