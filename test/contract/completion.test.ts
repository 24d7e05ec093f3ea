// The completion scripts: bash's in a real bash, and those of zsh and fish in theirs where the machine has them.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { addServers } from '../../src/cli/server-program.ts';

const place = mkdtempSync(join(tmpdir(), 'pc-'));
const executable = new URL('../../bin/pyro', import.meta.url).pathname;
const home = join(place, 'home');
const env = { ...process.env, PYRO_HOME: home };

/** A workspace as its files tell of it; no daemon knows it. */
function plant(id: string, name: string | null, seedPath: string | null): void {
  const folder = join(home, 'state/workspaces', id);
  mkdirSync(join(folder, 'commands'), { recursive: true });
  mkdirSync(join(folder, 'services/web'), { recursive: true });
  const seed = { seed_path: seedPath };
  const record = { id, name, state: 'started', environment: 'debian:12', seed, snapshots: [{ name: 'before-fix' }] };
  writeFileSync(join(folder, 'workspace.json'), JSON.stringify(record));
  writeFileSync(join(folder, 'commands/000007.json'), JSON.stringify({ command: 'make\ntest', ended_at: null }));
  writeFileSync(join(folder, 'commands/000012.json'), JSON.stringify({ command: 'true', ended_at: 1 }));
}

/** What `pyro completion SHELL` prints. */
async function scriptFor(shell: string): Promise<string> {
  let printed = '';
  const program = createProgram('0', false, async () => undefined);
  addServers(program, { mcp: async () => 0, daemon: async () => 0 }, AbortSignal.abort(), () => undefined);
  program.configureOutput({
    writeOut: (text) => {
      printed += text;
    },
  });
  await program.parseAsync(['completion', shell], { from: 'user' });
  return printed;
}

beforeAll(async () => {
  for (const shell of ['bash', 'zsh', 'fish']) writeFileSync(join(place, shell), await scriptFor(shell));
  writeFileSync(join(place, 'a file'), '');
  plant('6f1e538c0e71', 'login bug', place);
  plant('70aa00000001', null, '/elsewhere');
});

afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

/** What bash offers for a line, broken into words as readline breaks it. */
function complete(...words: string[]): string[] {
  return completeFor('pyro', words);
}

function completeFor(program: string, words: readonly string[]): string[] {
  const asked = `set -eu; source ./bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pyro; printf '%s\\n' "\${COMPREPLY[@]-}"`;
  const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-c', asked, 'bash', program, ...words], {
    cwd: place,
    env,
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout.split('\n').filter((line) => line !== '');
}

describe('in bash', () => {
  it('commands of the program and of a group are offered', () => {
    expect(complete('')).toEqual(expect.arrayContaining(['run', 'workspace', 'mcp', 'completion']));
    expect(complete('work')).toEqual(['workspace']);
    expect(complete('workspace', 'file', '')).toEqual(expect.arrayContaining(['list', 'read', 'write']));
    expect(complete('workspace', 'exec-')).toEqual(['exec-signal']);
    expect(complete('mcp', '')).toContain('serve');
    expect(complete('')).toEqual(expect.arrayContaining(['ps', 'exec', 'sh', 'apply', 'rm']));
  });

  it('options are those of the command', () => {
    expect(complete('env', 'pull', '--s')).toEqual(['--source']);
    expect(complete('workspace', 'create', 'debian', ':', '12', '--seed')).toEqual(['--seed-path']);
    expect(complete('run', '--mem')).toEqual(['--mem-mib']);
    expect(complete('doctor', '--mem')).toEqual([]);
    expect(complete('diff', '--stat')).toEqual(['--stat-only']);
  });

  it('values are offered where they are known', () => {
    expect(complete('env', 'pull', '--source', '')).toEqual(['auto', 'registry', 'packages']);
    expect(complete('env', 'pull', '--source', '=')).toEqual(['auto', 'registry', 'packages']);
    expect(complete('env', 'pull', '--source', '=', 'reg')).toEqual(['registry']);
    expect(complete('mcp', 'serve', '--mode', 'in')).toEqual(['inspect']);
    expect(complete('host', 'connect', 'c')).toEqual(['claude-code', 'codex']);
    expect(complete('completion', '')).toEqual(['bash', 'zsh', 'fish']);
  });

  it('the value of an option is not taken for a command or an argument', () => {
    expect(complete('run', '--user', 'run', '--env', 'A', '=', 'b', '--net')).toEqual(['--network-policy']);
    expect(complete('host', 'connect', '--scope', 'user', 'c')).toEqual(['claude-code', 'codex']);
  });

  it('nothing of pyro is offered after -- and where any word may stand', () => {
    expect(complete('run', 'debian', ':', '12', '--', '')).toEqual([]);
    expect(complete('host', 'connect', 'codex', 'c')).toEqual([]);
    expect(complete('workspace', 'status', 'one', '')).toEqual([]);
  });

  it('workspaces are offered by id and name, once each', () => {
    const both = ['login\\ bug', '6f1e538c0e71', '70aa00000001'];
    expect(completeFor(executable, ['exec', '']).sort()).toEqual([...both].sort());
    expect(completeFor(executable, ['exec', '6f'])).toEqual(['6f1e538c0e71']);
    expect(completeFor(executable, ['rm', '6f1e538c0e71', '70aa00000001', ''])).toEqual(['login\\ bug']);
    expect(completeFor(executable, ['workspace', 'diff', '--base', 'x', '7'])).toEqual(['70aa00000001']);
    expect(completeFor(executable, ['cp', '7'])).toEqual(['70aa00000001:']);
  });

  it('what belongs to a workspace is offered for the one that is named, else for that of the folder', () => {
    expect(completeFor(executable, ['logs', '70aa', '--sequence', ''])).toEqual(['12', '7']);
    expect(completeFor(executable, ['logs', '--sequence', '7'])).toEqual(['7']);
    expect(completeFor(executable, ['diff', '70aa00000001', '--base', 'b'])).toEqual(['before-fix']);
    expect(completeFor(executable, ['workspace', 'service', 'logs', '70aa00000001', ''])).toEqual(['web']);
  });

  it('names with a colon go on behind what bash takes for another word', () => {
    expect(completeFor(executable, ['run', 'debian:12-bui'])).toEqual(['12-build']);
    expect(completeFor(executable, ['run', 'debian', ':', '12-bui'])).toEqual(['12-build']);
    expect(completeFor(executable, ['create', 'deb'])).toContain('debian:12');
  });

  it('looking names up starts no daemon, and is silent where there is nothing', () => {
    const { stdout, status } = spawnSync(executable, ['__complete', 'sequence', '70aa'], { env, encoding: 'utf8' });
    expect({ stdout, status }).toEqual({ stdout: '12\ttrue\n7\trunning: make\\ntest\n', status: 0 });
    expect(existsSync(join(home, 'state/daemon.lock'))).toBe(false);
    expect(existsSync(join(home, 'run'))).toBe(false);
    const nowhere = { ...env, PYRO_HOME: join(place, 'nowhere') };
    const none = spawnSync(executable, ['__complete', 'workspace'], { env: nowhere, encoding: 'utf8' });
    expect(none).toMatchObject({ stdout: '', stderr: '', status: 0 });
  });

  it('file names come where pyro has nothing to offer', () => {
    const { stdout } = spawnSync('bash', ['--norc', '-c', 'source ./bash; complete -p pyro'], {
      cwd: place,
      encoding: 'utf8',
    });
    expect(stdout.trim()).toBe('complete -o default -F _pyro pyro');
  });
});

const has = (shell: string): boolean => spawnSync(shell, ['--version']).status === 0;

describe('the script for', () => {
  it('zsh is one that zsh reads', ({ skip }) => {
    if (!has('zsh')) skip('this machine has no zsh');
    expect(spawnSync('zsh', ['-fn', 'zsh'], { cwd: place, encoding: 'utf8' }).stderr).toBe('');
  });

  it('fish offers commands, options and values', ({ skip }) => {
    if (!has('fish')) skip('this machine has no fish');
    const ask = (line: string): string =>
      spawnSync('fish', ['--no-config', '-c', `source ./fish; complete -C '${line}'`], { cwd: place, encoding: 'utf8' })
        .stdout;
    expect(ask('pyro workspace ex')).toMatch(/^exec\b/m);
    expect(ask('pyro env pull --source ')).toMatch(/^registry\b/m);
    expect(ask('pyro host connect ')).toMatch(/^codex\b/m);
  });
});
