// Standard input that cannot be read: an error of reading is no end, and a folder or a disk is no empty input.
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openHome } from '../support/fake.ts';
import { readPrinted } from '../support/printed.ts';

const executable = join(new URL('../..', import.meta.url).pathname, 'bin', 'pyro');
const folder = mkdtempSync(join(tmpdir(), 'pyro-input-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A folder, and a file whose first read fails. */
const unreadable = [
  ['a folder', folder, 'it is a folder'],
  ['a failing disk', '/proc/self/mem', 'EIO'],
] as const;

async function withInput(command: readonly string[], path: string, env: NodeJS.ProcessEnv = process.env) {
  const fd = openSync(path, 'r');
  try {
    const [file = '', ...args] = command;
    return await readPrinted(spawn(file, args, { env, stdio: [fd, 'pipe', 'pipe'] }));
  } finally {
    closeSync(fd);
  }
}

describe.each(unreadable)('%s as standard input', (_, path, reason) => {
  it('fails a live command, which sees no end', async () => {
    await using home = openHome();
    const { command, args } = home.command;
    const words = [command, ...args, 'live', 'fake.live', JSON.stringify({ copy: true })];
    const { exitCode, stderr } = await withInput(words, path, home.env);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stderr).error).toMatchObject({ code: 'input_failed', message: expect.stringContaining(reason) });
  });

  it.each([
    ['a file', ['workspace', 'file', 'write', 'nobody', 'a.txt']],
    ['a patch', ['workspace', 'patch', 'apply', 'nobody']],
    ['a secret', ['workspace', 'create', '--empty', '--secret', 'TOKEN=-']],
  ])('is no empty content of %s', async (_, words) => {
    const { exitCode, stderr } = await withInput([executable, ...words], path);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('error: standard input could not be read to its end');
    expect(stderr).toContain(reason);
    expect(stderr).toContain('hint: nothing was done');
  });
});

it('an interrupt ends a command that waits for its input', async () => {
  const child = spawn(executable, ['workspace', 'patch', 'apply', 'nobody'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const printed = readPrinted(child);
  // More than a pipe holds: what is taken was read.
  await new Promise((resolve) => child.stdin?.write(Buffer.alloc(1024 * 1024, 0x61), resolve));
  child.kill('SIGINT');
  expect((await printed).exitCode).toBe(130);
  child.stdin?.destroy();
});

it('a patch that is no text is refused, and too much input as well', async () => {
  const give = async (input: Buffer) => {
    const child = spawn(executable, ['workspace', 'patch', 'apply', 'nobody'], { stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
    return await readPrinted(child);
  };
  expect(await give(Buffer.from('caf\xe9', 'latin1'))).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('not valid UTF-8'),
  });
  expect(await give(Buffer.alloc(25 * 1024 * 1024, 0x61))).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('pyro cp -'),
  });
});
