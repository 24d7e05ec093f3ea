// Starts the fake executable in folders of the test's own and ends what it has started there.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { z } from 'zod';

export { until } from './until.ts';

/** Bundled once for each test file: from its sources every start would take a second on a small machine. */
const fakeProgram = await bundle();

async function bundle(): Promise<string> {
  const outdir = mkdtempSync(join(tmpdir(), 'pf-'));
  await build({
    entryPoints: [join(new URL('.', import.meta.url).pathname, 'fake-pyro.ts')],
    outdir,
    outExtension: { '.js': '.mjs' },
    splitting: true,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  return join(outdir, 'fake-pyro.mjs');
}

export interface FakeHome extends AsyncDisposable {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Runs to its end and gives what was printed, as JSON */
  readonly run: (args: readonly string[], env?: Readonly<Record<string, string>>) => Promise<unknown>;
  readonly start: (args: readonly string[], env?: Readonly<Record<string, string>>) => ChildProcess;
  readonly status: () => Promise<z.infer<typeof statusSchema> | null>;
  /** Command line of the fake executable, for clients that start it themselves */
  readonly command: { readonly command: string; readonly args: readonly string[] };
  /** Path of a file in the home that does not exist yet */
  readonly path: (name: string) => string;
}

const statusSchema = z.looseObject({
  pid: z.number(),
  version: z.string(),
  socket: z.string(),
  log: z.string(),
  calls: z.number(),
});

export function openHome(settings: Readonly<Record<string, string>> = {}): FakeHome {
  const folder = mkdtempSync(join(tmpdir(), 'pd-'));
  const { CLAUDE_PROJECT_DIR: _project, ...inherited } = process.env;
  const base: Record<string, string> = { PYRO_HOME: folder, PYRO_DAEMON_IDLE_SECONDS: '60', ...settings };
  for (const [name, value] of Object.entries(inherited))
    if (value !== undefined && base[name] === undefined) base[name] = value;
  const start: FakeHome['start'] = (args, env = {}) =>
    spawn(process.execPath, [fakeProgram, ...args], { env: { ...base, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  const run: FakeHome['run'] = async (args, env) => {
    const child = start(args, env);
    let text = '';
    let errors = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      errors += chunk.toString('utf8');
    });
    await new Promise((resolve) => child.once('close', resolve));
    if (text === '') throw new Error(`${args.join(' ')} printed nothing: ${errors}`);
    return JSON.parse(text);
  };
  const status: FakeHome['status'] = async () => statusSchema.nullable().parse(await run(['status']));
  return {
    folder,
    env: base,
    run,
    start,
    status,
    command: { command: process.execPath, args: [fakeProgram] },
    path: (name) => join(folder, name),
    [Symbol.asyncDispose]: async () => {
      await run(['stop', '--force']);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Not written yet.
    return '';
  }
}

/** A fresh Git checkout in the home, with empty files. */
export function makeCheckout(home: FakeHome, name: string, files: readonly string[] = []): string {
  const path = home.path(name);
  mkdirSync(path, { recursive: true });
  execFileSync('git', ['init', '-q', '-b', 'main', path]);
  for (const file of files) writeFileSync(`${path}/${file}`, '');
  return realpathSync(path);
}
