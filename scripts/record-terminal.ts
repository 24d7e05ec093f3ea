// Writes docs/terminal.svg from a real session: a fault is reproduced in a workspace, mended there and brought home.
//
// node scripts/record-terminal.ts   needs a built pyro and debian:12; times are those of this machine
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, homedir, hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { drawTerminal, type RecordedLine } from './terminal-svg.ts';

const root = new URL('..', import.meta.url).pathname;
const executable = join(root, 'bin', 'pyro');
const target = join(root, 'docs', 'terminal.svg');
const longestBytes = 60_000;
/** Time to read a command before it runs, `ms` */
const typingMs = 700;

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'pyro-terminal-')));
const { CLAUDE_PROJECT_DIR: _project, ...inherited } = process.env;
const env = { ...inherited, PATH: `${join(root, 'bin')}:${process.env['PATH']}` };

const greet = '#!/bin/sh\n# Greets whoever is named.\necho "Hello, $1"\n';
const test = `#!/bin/sh
case $(./greet.sh Ada) in
  *!) echo PASS ;;
  *) echo 'FAIL: no exclamation mark'; exit 1 ;;
esac
`;

interface Session {
  readonly lines: RecordedLine[];
  nowMs: number;
}

function quietly(file: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(file, args, { cwd: folder, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** Runs a line as it would be typed, and gives what it printed. */
async function enter(session: Session, text: string): Promise<string> {
  session.lines.push({ text, kind: 'command', atMs: session.nowMs });
  session.nowMs += typingMs;
  const began = performance.now();
  const since = (): number => session.nowMs + Math.round((performance.now() - began) / 10) * 10;
  let output = '';
  let rest = '';
  const child = spawn('bash', ['-c', text], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const take = (chunk: Buffer): void => {
    output += chunk.toString('utf8');
    const parts = (rest + chunk.toString('utf8')).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts)
      session.lines.push({ text: part.replaceAll(folder, '~/greet'), kind: 'output', atMs: since() });
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  await new Promise((resolve) => child.once('close', resolve));
  session.nowMs = since() + typingMs;
  return output;
}

async function record(): Promise<Session> {
  const session: Session = { lines: [], nowMs: 300 };
  await enter(session, 'pyro run debian:12 -- git --version');
  const created = await enter(session, 'pyro workspace create --seed-path . --name greeting');
  const id = /^workspace +([0-9a-f]{12})$/m.exec(created)?.[1];
  if (id === undefined) throw new Error(`no workspace: ${created}`);
  try {
    await enter(session, `pyro workspace exec ${id} -- ./test.sh`);
    await enter(session, `pyro workspace exec ${id} -- "sed -i 's/\\$1/\\$1!/' greet.sh && ./test.sh"`);
    await enter(session, `pyro workspace diff ${id}`);
    const home = await enter(session, `pyro workspace diff ${id} | git apply && ./test.sh`);
    if (home !== 'PASS\n') throw new Error(`the patch did not come home: ${home}`);
    await enter(session, `pyro workspace summary ${id}`);
    await enter(session, `pyro workspace delete ${id}`);
  } catch (error) {
    spawnSync(executable, ['workspace', 'delete', id], { env });
    throw error;
  }
  return session;
}

/** What belongs to this machine alone must not be in the picture. */
function refuseTraces(svg: string): void {
  const traces = [folder, root, join(homedir(), '/'), tmpdir(), hostname()].filter((trace) => svg.includes(trace));
  if (traces.length > 0) throw new Error(`the recording names ${traces.join(', ')}`);
  if (Buffer.byteLength(svg) > longestBytes) throw new Error(`the recording has ${Buffer.byteLength(svg)} bytes`);
}

try {
  quietly('git', 'init', '-q', '-b', 'main');
  for (const [name, text] of Object.entries({ 'greet.sh': greet, 'test.sh': test })) {
    writeFileSync(join(folder, name), text, { mode: 0o755 });
  }
  quietly('git', 'add', '-A');
  const identity = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', '-c', 'commit.gpgsign=false'];
  quietly('git', ...identity, 'commit', '-q', '-m', 'Greet');
  const { accelerator } = JSON.parse(quietly(executable, 'prepare', '--json'));
  // Starts the daemon, which is there on every day but the first.
  quietly(executable, 'workspace', 'list');
  const { lines } = await record();
  const place = `${accelerator === 'kvm' ? 'with' : 'without'} KVM, on ${availableParallelism()} cores`;
  const svg = drawTerminal({ title: `pyro ${place}, in real time`, lines });
  refuseTraces(svg);
  writeFileSync(target, svg);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
