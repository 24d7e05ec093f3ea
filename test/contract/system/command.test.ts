// Helper programs: what they write to a file has no limit, and a failure says what ended them, in their own last words.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startBytes } from '../../../src/system/byte-command.ts';
import { runCommand, tryCommand } from '../../../src/system/command.ts';

const mebibyte = 1024 * 1024;
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pyro-command-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const sh = (script: string): [string, string[]] => ['sh', ['-c', script]];

describe('a program', () => {
  it('writes 64 MiB to a file, and is told to have ended well', async () => {
    const stdoutFile = join(folder, 'output');
    const result = await tryCommand(...sh(`head -c ${64 * mebibyte} /dev/zero; echo said >&2`), { stdoutFile });
    expect(result).toMatchObject({ exitCode: 0, stdout: '', stderr: 'said\n' });
    expect(statSync(stdoutFile).size).toBe(64 * mebibyte);
  });

  it('that writes more than a result may hold fails with the limit', async () => {
    await expect(runCommand(...sh(`head -c ${5 * mebibyte} /dev/zero`))).rejects.toMatchObject({
      code: 'tool_failed',
      message: expect.stringContaining('more than 4.0 MiB'),
    });
  });

  it('may complain without end, and its last words are kept', async () => {
    const noise =
      'i=0; while [ $i -lt 20000 ]; do echo "warning $i: ------------------------------------"; i=$((i+1)); done';
    const script = `(${noise}) >&2; (${noise}) >&2; (${noise}) >&2; (${noise}) >&2; (${noise}) >&2; (${noise}) >&2; echo the reason >&2; exit 3`;
    await expect(runCommand(...sh(script))).rejects.toMatchObject({
      code: 'tool_failed',
      message: expect.stringMatching(/^sh failed with exit code 3: (?:.*\n)*.*the reason$/),
    });
  });

  it('that a signal ended says which', async () => {
    await expect(runCommand(...sh('echo before >&2; kill -KILL $$'))).rejects.toMatchObject({
      code: 'tool_failed',
      message: expect.stringMatching(/killed by signal SIGKILL.*before/),
    });
  });

  it('that says nothing is not told with an empty reason', async () => {
    await expect(runCommand(...sh('exit 7'))).rejects.toMatchObject({
      message: 'sh failed with exit code 7 and printed nothing',
    });
  });

  it('on a full disk says so', async () => {
    await expect(runCommand(...sh('head -c 100000 /dev/zero'), { stdoutFile: '/dev/full' })).rejects.toMatchObject({
      message: expect.stringContaining('No space left on device'),
    });
  });

  it('takes input of any size, and may end before it has read it', async () => {
    const input = Readable.from(
      (function* () {
        for (let index = 0; index < 64; index++) yield Buffer.alloc(mebibyte);
      })(),
    );
    const { stdout } = await tryCommand('wc', ['-c'], { input });
    expect(stdout.trim()).toBe(String(64 * mebibyte));
    const early = await tryCommand('true', [], {
      input: Readable.from([Buffer.alloc(mebibyte), Buffer.alloc(mebibyte)]),
    });
    expect(early.exitCode).toBe(0);
  });

  it('whose bytes are streamed may complain without end, too', async () => {
    const script =
      'i=0; while [ $i -lt 20000 ]; do echo "warning $i: ------------" >&2; i=$((i+1)); done; echo last >&2; echo out';
    const { stdout, done } = startBytes(...sh(script));
    stdout.resume();
    const { stderr, exitCode } = await done;
    expect(exitCode).toBe(0);
    expect(stderr.trimEnd().endsWith('last')).toBe(true);
  });
});
