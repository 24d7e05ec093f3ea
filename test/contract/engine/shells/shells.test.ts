// Shells against the real agent as a plain process: what a person or a model does at a terminal.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { ShellReadInput, ShellReadOutput } from '../../../../src/contract/shells.ts';
import type { Shell } from '../../../../src/engine/shells/shell.ts';
import { readShell } from '../../../../src/engine/shells/shell-read.ts';
import { Shells } from '../../../../src/engine/shells/shells.ts';
import { type PlainAgent, startPlainAgent } from '../../../support/plain-agent.ts';

const { signal } = new AbortController();
const folder = mkdtempSync(join(tmpdir(), 'pyro-shells-'));
let agent: PlainAgent;
let shells: Shells;

async function start(): Promise<void> {
  agent = await startPlainAgent();
  shells = await Shells.open(folder);
}
beforeAll(start);
afterAll(async () => {
  await agent.stop();
  rmSync(folder, { recursive: true, force: true });
});

// One shell for all machines: their own would greet in their own ways.
const env = {
  PATH: process.env['PATH'] ?? '',
  PS1: 'pyro$ ',
  PS2: '',
  ENV: '',
  HOME: '/nonexistent',
  SHELL: '/bin/sh',
};

async function open(size = { cols: 80, rows: 24 }): Promise<Shell> {
  const shell = await shells.start(agent.client, { cwd: agent.folder, ...size, env }, signal);
  await type(shell, `PS1='pyro$ '; stty -echo; echo re''ady\r`);
  const { matched } = await read(shell, { wait_for: '/ready\\s+pyro\\$ $/', wait_seconds: 10 });
  expect(matched).toBe(true);
  return shell;
}

async function type(shell: Shell, text: string): Promise<void> {
  await shell.write(Buffer.from(text), signal);
}

async function read(shell: Shell, request: Partial<ShellReadInput> = {}): Promise<ShellReadOutput> {
  const usual: ShellReadInput = {
    workspace_id: '',
    shell_id: shell.record.id,
    cursor: 0,
    max_chars: 65_536,
    plain: true,
    screen: false,
    redraw: false,
    wait_seconds: 0,
  };
  return await readShell('0'.repeat(12), shell, { ...usual, ...request }, signal);
}

/** Types a line and reads what follows, until the text has come. */
async function answer(shell: Shell, line: string, wait_for: string): Promise<ShellReadOutput> {
  const cursor = shell.log.end;
  await type(shell, `${line}\r`);
  return await read(shell, { cursor, wait_for, wait_seconds: 10 });
}

describe('a shell', () => {
  it('answers what is typed, and its cursors go on where they stood', async () => {
    const shell = await open();
    const first = await answer(shell, 'echo one; echo tw"o"', '/two\\s+pyro\\$ $/');
    expect(first).toMatchObject({ matched: true, truncated: false, state: 'running' });
    expect(first.output).toContain('one\ntwo\n');
    const second = await answer(shell, 'echo thr"ee"', 'three');
    expect(second.cursor).toBeGreaterThanOrEqual(first.next_cursor);
    const again = await read(shell, { cursor: first.cursor, max_chars: first.next_cursor - first.cursor });
    expect(again.output).toBe(first.output);
    await shells.close(shell.record.id);
  });

  it('is interrupted in its foreground job, and lives on', async () => {
    const shell = await open();
    const job = await answer(shell, `sh -c 'echo slee""ping; sleep 1000; echo not reached'`, 'sleeping');
    await shell.signal('INT', signal);
    await read(shell, { cursor: job.next_cursor, wait_for: '/pyro\\$ $/', wait_seconds: 10 });
    const result = await answer(shell, 'echo co"de" $?', '/code \\d+/');
    expect(result).toMatchObject({ matched: true, state: 'running' });
    expect(result.output).toContain('code 130');
    expect((await read(shell, { cursor: job.cursor })).output).not.toContain('not reached');
    await shells.close(shell.record.id);
  });

  it('loses no byte of 10 MB, read page by page', async () => {
    const shell = await open();
    const cursor = shell.log.end;
    const count = 160_000;
    await type(shell, `awk 'BEGIN { for (i = 0; i < ${count}; i++) printf "%063d\\n", i; print "over" }'\r`);
    const lines: string[] = [];
    let rest = '';
    for (let at = cursor; !rest.includes('over'); ) {
      const page = await read(shell, { cursor: at, plain: false, max_chars: 1_000_000, wait_seconds: 20 });
      expect(page.dropped_bytes).toBe(0);
      expect(page.next_cursor).toBeGreaterThan(at);
      at = page.next_cursor;
      const parts = `${rest}${page.output}`.split('\r\n');
      rest = parts.pop() ?? '';
      lines.push(...parts);
      if (lines.includes('over')) break;
    }
    const numbers = lines.slice(lines.indexOf('0'.repeat(63)), lines.indexOf('over'));
    expect(numbers.length).toBe(count);
    expect(numbers.every((line, index) => line === String(index).padStart(63, '0'))).toBe(true);
    await shells.close(shell.record.id);
  }, 120_000);

  it('tells its program the new size, also while one runs', async () => {
    const shell = await open({ cols: 80, rows: 24 });
    expect((await answer(shell, 'stty size; echo .', '/^24 80/m')).matched).toBe(true);
    await shell.resize(132, 43, signal);
    expect((await answer(shell, 'stty size; echo .', '/^43 132/m')).matched).toBe(true);
    expect(shell.record.sizes.at(-1)).toMatchObject({ cols: 132, rows: 43 });
    await shells.close(shell.record.id);
  });

  it('shows the screen as it stands, with the cursor', async () => {
    const shell = await open({ cols: 40, rows: 10 });
    await answer(
      shell,
      "printf '\\033[2J\\033[1;1Htop\\033[5;3Hmiddle\\033[3;1Hx\\033[31mred\\033[0m\\033[9;9H'; echo o'k'; sleep 5",
      'ok',
    );
    const { screen, output } = await read(shell, { screen: true });
    expect(output).toBe('');
    expect(screen?.lines.slice(0, 5)).toEqual(['top', '', 'xred', '', '  middle']);
    expect(screen?.lines[8]).toBe('        ok');
    expect(screen).toMatchObject({ cursor_row: 9, cursor_col: 0, is_alternate: false });
    await shells.close(shell.record.id);
  });

  it('waits for quiet, and no longer than it may', async () => {
    const shell = await open();
    const cursor = shell.log.end;
    await type(shell, 'for i in 1 2 3 4; do echo tick $i; sleep 0.2; done\r');
    const quiet = await read(shell, { cursor, wait_for_idle_ms: 600, wait_seconds: 10 });
    expect(quiet.output).toContain('tick 4');
    await type(shell, 'while :; do echo again; sleep 0.1; done\r');
    const began = performance.now();
    const never = await read(shell, { cursor: quiet.next_cursor, wait_for_idle_ms: 5000, wait_seconds: 0.7 });
    expect(performance.now() - began).toBeLessThan(3000);
    expect(never.output).toContain('again');
    const missed = await read(shell, { cursor: quiet.next_cursor, wait_for: 'never said', wait_seconds: 0.2 });
    expect(missed.matched).toBe(false);
    await shells.close(shell.record.id);
  });

  it('that ends by itself says how, keeps its output, and takes no more', async () => {
    const shell = await open();
    const cursor = shell.log.end;
    await type(shell, 'echo last words; exit 7\r');
    const result = await read(shell, { cursor, wait_for: 'never said', wait_seconds: 10 });
    expect(result).toMatchObject({ state: 'stopped', exit_code: 7, lost: false, matched: false });
    expect(result.output).toContain('last words');
    await expect(shell.write(Buffer.from('x'), signal)).rejects.toMatchObject({ code: 'shell_ended' });
    await shells.close(shell.record.id);
    expect(() => shells.get(shell.record.id)).toThrow(/no shell/);
  });

  it('is followed again by another owner of its folder, from the byte where the last one stood', async () => {
    // The session of the others ends here.
    onTestFinished(async () => {
      await agent.stop();
      await start();
    });
    const shell = await open();
    const cursor = shell.log.end;
    await type(shell, 'for i in $(seq 1 40); do echo line $i; sleep 0.05; done; echo do"ne"\r');
    await read(shell, { cursor, wait_for: 'line 3', wait_seconds: 10 });
    await agent.client[Symbol.asyncDispose]();
    await shells.settle();
    await using other = await agent.reconnect();
    const next = await Shells.open(folder);
    await next.resume(other.client);
    const again = next.get(shell.record.id);
    const result = await read(again, { cursor, wait_for: 'done', wait_seconds: 20 });
    const expected = [...Array.from({ length: 40 }, (_, index) => `line ${index + 1}`), 'done'].join('\n');
    expect(result.output).toContain(expected);
    await next.close(shell.record.id);
  });
});
