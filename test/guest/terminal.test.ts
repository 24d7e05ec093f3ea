// Commands in a workspace as one expects them at a terminal: live, interruptible, fed by a pipe, with a terminal of their own.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readPrinted } from '../support/printed.ts';
import { pyro } from '../support/pyro.ts';
import { atTerminal } from '../support/terminal.ts';

const executable = new URL('../../bin/pyro', import.meta.url).pathname;
const statusSchema = z.object({ daemon: z.object({ pid: z.number() }).nullish(), pid: z.number().optional() });
const errorSchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    hint: z.string(),
    details: z.record(z.string(), z.unknown()),
  }),
});
const execSchema = z.object({ stdout: z.string(), exit_code: z.number(), shell: z.string() });
let id = '';

beforeAll(async () => {
  id = (await pyro(['workspace', 'create', '--empty', '--quiet'])).stdout.toString('utf8').trim();
});
afterAll(async () => {
  await pyro(['workspace', 'delete', id]);
});

function start(line: string, ...options: readonly string[]): ChildProcess {
  const child = spawn(executable, ['workspace', 'exec', id, ...options, '--', line], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin?.on('error', () => undefined);
  return child;
}

/** The first piece of output. */
async function first(child: ChildProcess): Promise<string> {
  return await new Promise((resolve) => child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString('utf8'))));
}

describe('workspace exec', () => {
  it('kills a command whose input cannot be read, before it sees an end of it', async () => {
    const line = 'cat > part; echo believed > believed';
    const fromFolder = async (...words: readonly string[]) => {
      const fd = openSync(tmpdir(), 'r');
      const printed = await readPrinted(spawn(executable, words, { stdio: [fd, 'pipe', 'pipe'] }));
      closeSync(fd);
      return printed;
    };
    const failed = { exitCode: 1, bytes: 0, stderr: expect.stringContaining('could not be read to its end') };
    expect(await fromFolder('workspace', 'exec', id, '--', line)).toMatchObject(failed);
    expect(await fromFolder('run', 'debian:12', '--', 'sh', '-c', 'cat; echo believed')).toMatchObject(failed);
    // Nor does one whose caller is killed in the middle.
    const child = start(`${line}2`);
    await new Promise((resolve) => child.stdin?.write(Buffer.alloc(1_000_000), resolve));
    child.kill('SIGKILL');
    child.stdin?.destroy();
    // Only time shows that the command sees no end of its input.
    await sleep(500);
    const { stdout } = await pyro(['workspace', 'exec', id, '--', 'ls; pgrep -c cat; pkill cat; rm -f part believed*']);
    expect(stdout.toString('utf8')).toBe('part\n1\n');
  });

  it('shows what comes while it comes, both streams apart', async () => {
    const child = start('echo one; echo two >&2; read line; echo "three $line"; exit 7');
    expect(await first(child)).toBe('one\n');
    // It waits for input, so nothing of this could have come at its end.
    child.stdin?.end('go\n');
    const printed = await readPrinted(child);
    expect(printed).toMatchObject({ exitCode: 7, bytes: 'three go\n'.length, stderr: 'two\n' });
  });

  it('passes piped input on, live and with --json, and so does run', async () => {
    const bytes = randomBytes(3_000_000);
    const digest = createHash('sha256').update(bytes).digest('hex');
    const live = await pyro(['workspace', 'exec', id, '--', 'sha256sum'], { input: bytes });
    expect(live.stdout.toString('utf8')).toBe(`${digest}  -\n`);
    const json = await pyro(['workspace', 'exec', id, '--json', '--', 'sha256sum'], { input: bytes });
    expect(execSchema.parse(JSON.parse(json.stdout.toString('utf8'))).stdout).toBe(`${digest}  -\n`);
    const ran = await pyro(['run', 'debian:12', '--json', '--', 'sha256sum'], { input: bytes });
    expect(z.object({ stdout: z.string() }).parse(JSON.parse(ran.stdout.toString('utf8'))).stdout).toBe(
      `${digest}  -\n`,
    );
  });

  it('gives bytes back as they are', async () => {
    const bytes = randomBytes(1_000_000);
    const { stdout } = await pyro(['workspace', 'exec', id, '--', 'cat'], { input: bytes });
    expect(stdout.equals(bytes)).toBe(true);
  });

  it('interrupts the command at Ctrl-C, keeps what came and ends with 130', async () => {
    const child = start('echo before; sleep 300; echo after');
    expect(await first(child)).toBe('before\n');
    child.kill('SIGINT');
    expect(await readPrinted(child)).toMatchObject({ exitCode: 130, bytes: 0, stderr: '' });
    const left = await pyro(['workspace', 'exec', id, '--', 'ps -eo args | grep -c "^sleep 300" || true']);
    expect(left.stdout.toString('utf8')).toBe('0\n');
  });

  it('leaves it running at the second Ctrl-C, by a line that follows it on', async () => {
    const child = start("trap '' INT; echo one; until test -e /tmp/go; do sleep 0.1; done; echo two; exit 5");
    expect(await first(child)).toBe('one\n');
    child.kill('SIGINT');
    // Two signals at once are one, and nothing shows that the first was taken.
    await sleep(300);
    child.kill('SIGINT');
    const { exitCode, stderr } = await readPrinted(child);
    expect(exitCode).toBe(130);
    const [, ...words] = (/follow it with: (.*)$/m.exec(stderr)?.[1] ?? '').split(' ');
    const following = pyro(words);
    const unnamed = spawn(executable, ['logs', id, '-f', '--stream', 'stdout'], { stdio: ['ignore', 'pipe', 'pipe'] });
    // It follows this one only when it has looked before the next one runs.
    expect(await first(unnamed)).toBe('one\n');
    const foundRest = readPrinted(unnamed);
    await pyro(['workspace', 'exec', id, '--', 'touch /tmp/go']);
    const followed = await following;
    const found = await foundRest;
    expect(found.bytes).toBe('two\n'.length);
    expect(found.stderr).toMatch(
      /^\[logs\] command \d+(?:, the newest of 2)?: trap .*\n\[logs\] command \d+ ended with exit code 5/,
    );
    expect(followed.stdout.toString('utf8')).toBe('one\ntwo\n');
    expect(followed.stderr).toMatch(/\[logs\] command \d+ ended with exit code 5/);
  });

  it('goes on when the daemon is killed, and says how to follow it', async () => {
    const child = start('echo one; until test -e /tmp/on; do sleep 0.1; done; echo two');
    expect(await first(child)).toBe('one\n');
    const status = await pyro(['daemon', 'status', '--json']);
    const { daemon, pid } = statusSchema.parse(JSON.parse(status.stdout.toString('utf8')));
    process.kill(daemon?.pid ?? pid ?? 0, 'SIGKILL');
    const { exitCode, stderr } = await readPrinted(child);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('error: the daemon ended during the call');
    const [, ...words] = (/follow it with: (.*)$/m.exec(stderr)?.[1] ?? '').split(' ');
    await pyro(['workspace', 'exec', id, '--', 'touch /tmp/on']);
    expect((await pyro(words)).stdout.toString('utf8')).toBe('one\ntwo\n');
  });

  it('fails where the guest ends in the middle, with a line for what came, and so does run', async () => {
    const line = 'echo before; sync; sleep 1; echo c > /proc/sysrq-trigger; sleep 60';
    const child = await pyro(['workspace', 'exec', id, '--json', '--', line]);
    expect(child.exitCode).toBe(1);
    const { error } = errorSchema.parse(JSON.parse(child.stdout.toString('utf8')));
    expect(error).toMatchObject({
      code: 'guest_ended',
      message: 'the guest ended while the command ran: its kernel panicked: sysrq triggered crash',
    });
    const [, ...words] = (/its output so far: (.*);/.exec(error.hint)?.[1] ?? '').split(' ');
    expect((await pyro(words)).stdout.toString('utf8')).toContain('before\n');
    const ran = await pyro(['run', 'debian:12', '--json', '--', 'sh', '-c', line]);
    expect(ran.exitCode).toBe(1);
    expect(errorSchema.parse(JSON.parse(ran.stdout.toString('utf8'))).error).toMatchObject({
      message: expect.stringContaining('the guest ended while the command ran: its kernel panicked'),
      details: { stdout: 'before\n' },
    });
    const live = await pyro(['workspace', 'exec', id, '--', line]);
    expect(live).toMatchObject({ exitCode: 1, stdout: Buffer.from('before\n') });
    expect(live.stderr).toContain('error: the guest ended while the command ran');
  });

  it('ends a command whose reader has gone', async () => {
    // A guest that was not up would be told of, too.
    await pyro(['workspace', 'exec', id, '--', 'true']);
    const line = `set -o pipefail; ${executable} workspace exec ${id} -- yes | head -n 1`;
    const child = spawnSync('bash', ['-c', line], { encoding: 'utf8', input: '' });
    expect(child).toMatchObject({ stdout: 'y\n', stderr: '', status: 141 });
    const left = await pyro(['workspace', 'exec', id, '--', 'ps -eo comm | grep -c "^yes" || true']);
    expect(left.stdout.toString('utf8')).toBe('0\n');
  });

  it('a patch goes through the pager of a terminal, in colours, and as it is elsewhere', async () => {
    await pyro(['exec', id, '--', 'echo shown > shown; head -c 5000 /dev/urandom > noise']);
    const command = `PAGER="sed s/^/P:/" ${executable} diff ${id}`;
    const { shown } = atTerminal(command);
    expect(shown).toContain('P:\u001b[32m+shown\u001b[39m');
    expect(shown).toContain('P:(a binary file');
    const piped = (await pyro(['diff', id])).stdout.toString('utf8');
    expect(piped).toMatch(/^\+shown$/m);
    expect(piped).toMatch(/^literal 5000$/m);
    await pyro(['exec', id, '--', 'rm shown noise']);
  });

  it('gives a terminal with -it, and only then', async () => {
    const command = `${executable} workspace exec -it ${id} -- 'tty; stty size; exit 4'`;
    const { shown, status } = atTerminal(command);
    expect(shown).toMatch(/\/dev\/pts\/\d+/);
    expect(shown).toMatch(/^\d+ \d+/m);
    expect(status).toBe(4);
    const none = await pyro(['workspace', 'exec', id, '--', 'tty']);
    expect(none.stdout.toString('utf8')).toBe('not a tty\n');
    expect((await pyro(['workspace', 'exec', '-t', id, '--', 'tty'])).stderr).toContain('not a terminal');
  });

  it('reads the line by bash, else by sh', async () => {
    const shellOf = async (line: string): Promise<z.infer<typeof execSchema>> => {
      const { stdout } = await pyro(['workspace', 'exec', id, '--json', '--', line]);
      return execSchema.parse(JSON.parse(stdout.toString('utf8')));
    };
    expect(await shellOf('set -o pipefail; [[ a == a ]] && echo {1..3}')).toMatchObject({
      stdout: '1 2 3\n',
      shell: 'bash',
    });
    await shellOf('mv /bin/bash /bin/bash.away');
    expect(await shellOf('[[ a == a ]]')).toMatchObject({ exit_code: 127, shell: 'sh' });
    expect(await shellOf('mv /bin/bash.away /bin/bash')).toMatchObject({ exit_code: 0 });
  });
});
