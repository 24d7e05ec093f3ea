// The packed package in an empty place: what is in it, how large it is, and the whole journey with it, step by step.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { constants, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { z } from 'zod';
import { locatePaths } from '../src/system/paths.ts';
import { checkContent, packSchema } from './package-content.ts';

const root = new URL('..', import.meta.url).pathname;
const environment = 'debian:12';
const second = 1000;
const place = mkdtempSync(join(tmpdir(), 'pyro-dist-'));
const path = (name: string): string => join(place, name);
const pyro = path('prefix/bin/pyro');

/** Nothing of the user's: an empty home, and of PATH what the machine has. The daemon of the user stays alone. */
const env: NodeJS.ProcessEnv = {
  HOME: path('home'),
  XDG_RUNTIME_DIR: path('run'),
  PATH: [dirname(process.execPath), '/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'].join(
    delimiter,
  ),
  LANG: 'C.UTF-8',
};

interface RunOptions {
  readonly cwd?: string;
  readonly input?: string;
  readonly seconds?: number;
}

/** Standard output. Throws with what was said when the program fails or takes too long. */
async function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { cwd = place, input = '', seconds = 120 } = options;
  return await new Promise((resolve, reject) => {
    const settings = { cwd, env, timeout: seconds * second, maxBuffer: 64 * 1024 * 1024 };
    const child: ChildProcess = execFile(file, [...args], settings, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else {
        const why = error.killed === true ? `took more than ${seconds} s` : `ended with ${error.code}`;
        reject(new Error(`${file} ${args.join(' ')} ${why}\n${stdout}${stderr}`));
      }
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

async function json<S extends z.ZodType>(schema: S, args: readonly string[], seconds?: number): Promise<z.output<S>> {
  return schema.parse(JSON.parse(await run(pyro, [...args, '--json'], seconds === undefined ? {} : { seconds })));
}

/** Does a step and says how it went. */
async function step<T>(name: string, work: () => Promise<T>, note: (result: T) => string = () => ''): Promise<T> {
  const started = performance.now();
  const said = (mark: string, more: string): void => {
    const ms = `${Math.round(performance.now() - started)} ms`.padStart(9);
    process.stdout.write(`${mark.padEnd(5)}${ms}  ${name}${more === '' ? '' : `: ${more}`}\n`);
  };
  try {
    const result = await work();
    said('ok', note(result));
    return result;
  } catch (error) {
    said('FAIL', error instanceof Error ? error.message : String(error));
    throw error;
  }
}

function expect(holds: boolean, message: string): void {
  if (!holds) throw new Error(message);
}

/** Names of the tools that the server has, over its standard input and output. */
async function listTools(): Promise<string[]> {
  const server = spawn(pyro, ['mcp', 'serve', '--no-project-source'], {
    cwd: place,
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const timer = setTimeout(() => server.kill('SIGKILL'), 30 * second);
  const send = (message: object): boolean => server.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const clientInfo = { name: 'dist-check', version: '1' };
  send({ id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo } });
  send({ method: 'notifications/initialized' });
  send({ id: 2, method: 'tools/list', params: {} });
  let text = '';
  server.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
    if (text.includes('"id":2')) server.stdin.end();
  });
  const exitCode = await new Promise((resolve) => server.once('close', resolve));
  clearTimeout(timer);
  expect(exitCode === 0, `the server ended with ${exitCode}`);
  const answer = text.split('\n').find((line) => line.includes('"id":2')) ?? '{}';
  const schema = z.object({ result: z.object({ tools: z.array(z.object({ name: z.string() })) }) });
  return schema.parse(JSON.parse(answer)).result.tools.map(({ name }) => name);
}

/** A small repository with one commit. */
async function makeRepository(): Promise<string> {
  const folder = path('project');
  await run('git', ['init', '-q', '-b', 'main', folder]);
  writeFileSync(join(folder, 'message.txt'), 'broken\n');
  await run('git', ['add', '.'], { cwd: folder });
  const identity = [
    '-c',
    'user.name=dist-check',
    '-c',
    'user.email=dist-check@localhost',
    '-c',
    'commit.gpgsign=false',
  ];
  await run('git', [...identity, 'commit', '-q', '-m', 'Begin'], { cwd: folder });
  return folder;
}

/** The prepared environment goes into the empty home; a user gets it by `pyro env pull`. */
async function copyEnvironment(): Promise<void> {
  const from = locatePaths().cache;
  const to = path('home/.cache/pyro');
  for (const part of ['environments', 'refs']) {
    expect(existsSync(join(from, part)), `${from} has no ${part}: run make setup`);
    cpSync(join(from, part), join(to, part), { recursive: true, mode: constants.COPYFILE_FICLONE });
  }
}

async function journey(): Promise<void> {
  const pack = await step(
    'npm pack',
    async () => packSchema.parse(JSON.parse(await run('npm', ['pack', root, '--json', '--ignore-scripts']))),
    ([{ filename, entryCount }]) => `${filename}, ${entryCount} files`,
  );
  await step(
    'content and size',
    async () => checkContent(pack[0]),
    (said) => said,
  );
  await step('npm install, offline, empty home', async () => {
    const to = ['--global', '--prefix', path('prefix'), '--offline', '--ignore-scripts', '--no-audit', '--no-fund'];
    await run('npm', ['install', ...to, path(pack[0].filename)]);
  });
  await step('environment', copyEnvironment, () => `${environment}, as make setup has prepared it`);

  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
  const said = await step(
    'pyro --version',
    () => run(pyro, ['--version']),
    (text) => text.trim(),
  );
  expect(said.trim() === version, `it is ${said.trim()}, not ${version}`);
  await step('pyro completion bash', () => run(pyro, ['completion', 'bash']));
  const report = z.object({ ready: z.boolean(), checks: z.array(z.object({ status: z.string(), name: z.string() })) });
  await step(
    'pyro doctor',
    () => json(report, ['doctor'], 120),
    ({ checks }) =>
      checks
        .filter(({ status }) => status !== 'ok')
        .map(({ status, name }) => `${status} ${name}`)
        .join(', '),
  );
  await step('pyro env list', async () => {
    const schema = z.object({ environments: z.array(z.object({ name: z.string(), installed: z.boolean() })) });
    const { environments } = await json(schema, ['env', 'list']);
    expect(
      environments.some(({ name, installed }) => name === environment && installed),
      `${environment} is not there`,
    );
  });
  await step('pyro prepare', () => run(pyro, ['prepare', environment], { seconds: 180 }));
  await step(
    'pyro run',
    () => run(pyro, ['run', environment, '--', 'git', '--version']),
    (text) => text.trim(),
  );

  const project = await makeRepository();
  const created = await step(
    'pyro workspace create',
    () =>
      json(z.object({ workspace_id: z.string() }), ['workspace', 'create', environment, '--seed-path', project], 120),
    ({ workspace_id: id }) => id,
  );
  const id = created.workspace_id;
  await step('pyro workspace exec', async () => {
    const output = await run(pyro, ['workspace', 'exec', id, '--', 'cat message.txt && echo fixed >message.txt']);
    expect(output === 'broken\n', `it printed ${JSON.stringify(output)}`);
  });
  await step('pyro workspace diff, git apply', async () => {
    await run('git', ['apply'], { cwd: project, input: await run(pyro, ['workspace', 'diff', id]) });
    expect(readFileSync(join(project, 'message.txt'), 'utf8') === 'fixed\n', 'the patch has not changed the file');
  });
  await step('pyro workspace export', async () => {
    await run(pyro, ['workspace', 'export', id, 'message.txt', '--output-path', path('message.txt')]);
    expect(readFileSync(path('message.txt'), 'utf8') === 'fixed\n', 'the exported file is another');
  });
  await step('library', async () => {
    const file = path('prefix/lib/node_modules/pyro-mcp/dist/index.js');
    const program = `const { Pyro } = await import(${JSON.stringify(file)}); console.log((await new Pyro().workspace.list()).count);`;
    const count = await run(process.execPath, ['--input-type=module', '--eval', program]);
    expect(count === '1\n', `it sees ${count.trim()} workspaces`);
  });
  await step('pyro workspace delete', () => run(pyro, ['workspace', 'delete', id]));
  const tools = await step('pyro mcp serve, tools/list', listTools, (names) => `${names.length} tools`);
  expect(tools.includes('workspace_create'), `the tools are ${tools.join(', ')}`);
  await step('pyro host print-config opencode', async () => {
    const snippet = await run(pyro, ['host', 'print-config', 'opencode']);
    expect(snippet.includes('"serve"'), `it prints ${snippet}`);
  });
  await step('pyro daemon stop', () => run(pyro, ['daemon', 'stop']));
}

let exitCode = 0;
try {
  for (const name of ['home', 'run', 'prefix']) mkdirSync(path(name), { mode: 0o700 });
  await journey();
  process.stdout.write('the package works\n');
} catch {
  // The step has said why.
  exitCode = 1;
} finally {
  if (existsSync(pyro)) {
    await run(pyro, ['workspace', 'prune', '--all']).catch(() => undefined);
    await run(pyro, ['daemon', 'stop', '--force']).catch(() => undefined);
  }
  rmSync(place, { recursive: true, force: true });
}
process.exitCode = exitCode;
