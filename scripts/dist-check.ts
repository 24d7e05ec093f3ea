// The packed package in an empty place: what is in it, how large it is, and the whole journey with it, step by step.
import { constants, cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { locatePaths } from '../src/system/paths.ts';
import { openEmptyPlace, type RunOptions } from './empty-place.ts';
import { checkContent, packSchema } from './package-content.ts';

const root = new URL('..', import.meta.url).pathname;
const environment = 'debian:12';
const place = openEmptyPlace();
const program = place.path('prefix/bin/pyro');
const project = place.path('project');
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());

async function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  return await place.run(file, args, { ...options, signal: interrupted.signal });
}

async function pyro(...args: string[]): Promise<string> {
  return await run(program, args);
}

async function data<S extends z.ZodType>(schema: S, ...args: string[]): Promise<z.output<S>> {
  return schema.parse(JSON.parse(await pyro(...args, '--json')));
}

/** Does a step and says how it went; the work gives a remark, or nothing. */
async function step(name: string, work: () => Promise<string | undefined>): Promise<void> {
  const started = performance.now();
  const say = (mark: string, remark: string | undefined): void => {
    const ms = `${Math.round(performance.now() - started)} ms`.padStart(9);
    process.stdout.write(`${mark.padEnd(5)}${ms}  ${name}${remark === undefined ? '' : `: ${remark}`}\n`);
  };
  try {
    say('ok', await work());
  } catch (error) {
    say('FAIL', error instanceof Error ? error.message : String(error));
    throw error;
  }
}

function check(holds: boolean, complaint: string): undefined {
  if (!holds) throw new Error(complaint);
}

async function install(): Promise<void> {
  let tarball = '';
  await step('npm pack', async () => {
    const [pack] = packSchema.parse(JSON.parse(await run('npm', ['pack', root, '--json', '--ignore-scripts'])));
    tarball = place.path(pack.filename);
    return `${pack.filename}, ${pack.entryCount} files, ${checkContent(pack)}`;
  });
  await step('npm install, without a network', async () => {
    const where = ['--global', '--prefix', place.path('prefix'), '--offline'];
    await run('npm', ['install', ...where, '--ignore-scripts', '--no-audit', '--no-fund', tarball]);
    return undefined;
  });
  await step('environment', async () => {
    const { cache } = locatePaths();
    for (const part of ['environments', 'refs']) {
      check(existsSync(join(cache, part)), `${cache} has no ${part}: run make setup`);
      const target = place.path(`home/.cache/pyro/${part}`);
      cpSync(join(cache, part), target, { recursive: true, mode: constants.COPYFILE_FICLONE });
    }
    return `${environment}, as make setup has prepared it`;
  });
}

async function firstSteps(): Promise<void> {
  await step('pyro --version', async () => {
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
    const said = (await pyro('--version')).trim();
    check(said === version, `it is ${said}, not ${version}`);
    return said;
  });
  await step('pyro completion bash', async () => {
    await run('bash', ['-c', 'eval "$(cat)" && complete -p pyro'], { input: await pyro('completion', 'bash') });
    return undefined;
  });
  await step('pyro doctor', async () => {
    const schema = z.object({ checks: z.array(z.object({ status: z.string(), name: z.string() })) });
    const { checks } = await data(schema, 'doctor');
    const notes = checks.filter(({ status }) => status !== 'ok').map(({ status, name }) => `${status} ${name}`);
    return notes.length === 0 ? undefined : notes.join(', ');
  });
  await step('pyro env list', async () => {
    const schema = z.object({ environments: z.array(z.object({ name: z.string(), installed: z.boolean() })) });
    const { environments } = await data(schema, 'env', 'list');
    return check(
      environments.some(({ name, installed }) => name === environment && installed),
      `${environment} is not there`,
    );
  });
  await step('pyro prepare', async () => {
    await run(program, ['prepare', environment], { seconds: 300 });
    return undefined;
  });
  await step('pyro run', async () => (await pyro('run', environment, '--', 'git', '--version')).trim());
}

async function workInWorkspace(): Promise<void> {
  let id = '';
  await step('pyro workspace create', async () => {
    await run('git', ['init', '-q', '-b', 'main', project]);
    writeFileSync(join(project, 'message.txt'), 'broken\n');
    await run('git', ['add', '.'], { cwd: project });
    const who = ['-c', 'user.name=dist-check', '-c', 'user.email=dist-check@localhost', '-c', 'commit.gpgsign=false'];
    await run('git', [...who, 'commit', '-q', '-m', 'Begin'], { cwd: project });
    const schema = z.object({ workspace_id: z.string() });
    id = (await data(schema, 'workspace', 'create', environment, '--seed-path', project)).workspace_id;
    return id;
  });
  await step('pyro workspace exec', async () => {
    const output = await pyro('workspace', 'exec', id, '--', 'cat message.txt && echo fixed >message.txt');
    return check(output === 'broken\n', `it printed ${JSON.stringify(output)}`);
  });
  await step('pyro workspace diff, git apply', async () => {
    await run('git', ['apply'], { cwd: project, input: await pyro('workspace', 'diff', id) });
    return check(
      readFileSync(join(project, 'message.txt'), 'utf8') === 'fixed\n',
      'the patch has not changed the file',
    );
  });
  await step('pyro workspace export', async () => {
    const target = place.path('message.txt');
    await pyro('workspace', 'export', id, 'message.txt', '--output-path', target);
    return check(readFileSync(target, 'utf8') === 'fixed\n', 'the exported file is another');
  });
  await step('the library', async () => {
    const library = place.path('prefix/lib/node_modules/pyro-mcp/dist/index.js');
    const text = `import { Pyro } from '${library}'; console.log((await new Pyro().workspace.list()).workspaces[0].workspace_id);`;
    const said = await run(process.execPath, ['--input-type=module', '--eval', text]);
    return check(said.trim() === id, `it sees ${said.trim()}`);
  });
  await step('pyro workspace delete', async () => {
    await pyro('workspace', 'delete', id);
    const { count } = await data(z.object({ count: z.number() }), 'workspace', 'list');
    return check(count === 0, 'it is still listed');
  });
}

async function servers(): Promise<void> {
  await step('pyro mcp serve, tools/list', async () => {
    const clientInfo = { name: 'dist-check', version: '1' };
    const messages = [
      { id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo } },
      { method: 'notifications/initialized' },
      { id: 2, method: 'tools/list', params: {} },
    ];
    const input = messages.map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`).join('');
    // The server ends when its input does, and answers before that.
    const lines = (await run(program, ['mcp', 'serve', '--no-project-source'], { input, seconds: 30 })).split('\n');
    const answer = z.object({ result: z.object({ tools: z.array(z.object({ name: z.string() })) }) });
    const { tools } = answer.parse(JSON.parse(lines.find((line) => line.includes('"id":2')) ?? '{}')).result;
    check(
      tools.some(({ name }) => name === 'workspace_create'),
      'workspace_create is not among them',
    );
    return `${tools.length} tools`;
  });
  await step('pyro host print-config opencode', async () => {
    const snippet = await pyro('host', 'print-config', 'opencode');
    return check(snippet.includes('"serve"'), `it prints ${snippet}`);
  });
  await step('pyro daemon stop', async () => {
    await pyro('daemon', 'stop');
    return undefined;
  });
}

try {
  await install();
  await firstSteps();
  await workInWorkspace();
  await servers();
  process.stdout.write('the package works\n');
} catch {
  // The step has said why.
  process.exitCode = 1;
} finally {
  if (existsSync(program)) {
    await place.run(program, ['workspace', 'prune', '--all', '--force']).catch(() => undefined);
    await place.run(program, ['daemon', 'stop', '--force']).catch(() => undefined);
  }
  place.remove();
}
