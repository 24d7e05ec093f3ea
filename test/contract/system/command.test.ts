// Helper programs: what they write to a file has no limit, and a failure says what ended them, in their own last words.
import { closeSync, existsSync, openSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { runBytes, runCommand, startCommand, tryCommand } from '../../../src/system/command.ts';
import { identifyProcess } from '../../../src/system/processes.ts';
import { folderForEach } from '../../support/own-folder.ts';

const mebibyte = 1024 * 1024;
let folder = '';
folderForEach('pyro-command-', (made) => {
  folder = made;
});

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
    const { stdout, done } = startCommand(...sh(script));
    stdout.resume();
    const { stderr, exitCode } = await done;
    expect(exitCode).toBe(0);
    expect(stderr.trimEnd().endsWith('last')).toBe(true);
  });

  it('that is not there is missing, and so is the folder it was to run in', async () => {
    await expect(tryCommand('pyro-no-such-program', [])).rejects.toMatchObject({ code: 'tool_missing' });
    const gone = join(folder, 'gone');
    await expect(tryCommand('true', [], { cwd: gone })).rejects.toMatchObject({
      code: 'tool_failed',
      message: `true could not be started: the folder ${gone} is not there`,
    });
    await expect(tryCommand('true', ['a\0b'])).rejects.toMatchObject({ code: 'tool_failed' });
    await expect(tryCommand('true', ['a'.repeat(mebibyte)])).rejects.toMatchObject({
      message: expect.stringMatching(/^true could not be started: .{1,200}$/),
    });
  });

  it('that complains for 512 MiB costs no more than its last words', async () => {
    const script = `head -c ${512 * mebibyte} /dev/zero | tr '\\0' x >&2; printf '\\nthe \\033[31mreason' >&2; exit 3`;
    const before = process.memoryUsage.rss();
    const ending = await tryCommand(...sh(script));
    expect(ending.stderr.length).toBeLessThanOrEqual(64 * 1024);
    // When the pieces that were read are thrown away is the collector's to say.
    expect(process.memoryUsage.rss() - before).toBeLessThan(256 * mebibyte);
    await expect(runCommand(...sh(script))).rejects.toMatchObject({
      code: 'tool_failed',
      message: expect.stringMatching(/^sh failed with exit code 3: x+\nthe \\x1b\[31mreason$/),
    });
  });

  it('gives its bytes as they are, and gets them so', async () => {
    const input = Buffer.from([0xff, 0xfe, 0, 0x0a, 0x80]);
    expect((await runBytes('cat', [], { input })).stdout).toEqual(input);
  });

  it('is ended where it writes more bytes than were asked for', async () => {
    const calls = [runBytes, tryCommand];
    for (const call of calls) {
      await expect(call(...sh('yes; sleep 300'), { longestOutput: 1000 })).rejects.toMatchObject({
        code: 'tool_failed',
        message: 'sh wrote more than 1000 B',
      });
    }
  });

  it.each(['cancelled', 'deadline_exceeded'])('is ended with what it has started: %s', async (code) => {
    const pids: number[] = [];
    const caller = new AbortController();
    // The one in front ignores what it is asked; the one behind holds its output open.
    const script = 'sleep 300 & echo $! $$ >&2; trap "" TERM; wait; sleep 300';
    const onStderr = (text: string): void => {
      pids.push(...text.trim().split(' ').map(Number));
      if (code === 'cancelled') caller.abort();
    };
    const options = code === 'cancelled' ? { signal: caller.signal } : { timeoutMs: 2000 };
    await expect(tryCommand(...sh(script), { ...options, onStderr })).rejects.toMatchObject({ code });
    for (const pid of pids) await expect.poll(() => identifyProcess(pid), { timeout: 20_000 }).toBeUndefined();
  });

  it('that was cancelled before it began does not begin', async () => {
    const signal = AbortSignal.abort();
    const mark = join(folder, 'mark');
    await expect(tryCommand('touch', [mark], { signal })).rejects.toMatchObject({ code: 'cancelled' });
    expect(existsSync(mark)).toBe(false);
  });

  it('is not left to take an input that broke off for one that ended', async () => {
    const broken = new Error('the disk went away');
    const input = Readable.from(
      (async function* () {
        yield Buffer.alloc(1000);
        throw broken;
      })(),
    );
    await expect(tryCommand(...sh('cat; exit 0'), { input })).rejects.toBe(broken);
    const closed = new PassThrough();
    closed.write('x');
    closed.destroy();
    await expect(tryCommand('cat', [], { input: closed })).rejects.toMatchObject({ code: 'input_failed' });
  });

  it('that closes its input early, and fails, is told by its own words; the input is let go', async () => {
    const input = Readable.from(
      (async function* () {
        for (;;) yield Buffer.alloc(mebibyte);
      })(),
    );
    await expect(runCommand(...sh('head -c 5 >/dev/null; echo enough >&2; exit 2'), { input })).rejects.toMatchObject({
      code: 'tool_failed',
      message: 'sh failed with exit code 2: enough',
    });
    expect(input.destroyed).toBe(true);
  });

  it('gets the open files that it is given', async () => {
    const path = join(folder, 'open');
    writeFileSync(path, 'through a descriptor');
    const file = openSync(path, 'r');
    try {
      expect((await tryCommand(...sh('cat <&3'), { descriptors: [file] })).stdout).toBe('through a descriptor');
    } finally {
      closeSync(file);
    }
  });
});
