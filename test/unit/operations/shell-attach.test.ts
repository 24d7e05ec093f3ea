// Tests of being at a shell's terminal: what is typed goes in order, what comes is shown, the detach key leaves.
import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { RunControl, RunIo } from '../../../src/contract/call.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { shellAttach } from '../../../src/operations/shell-attach.ts';
import { noProgress } from '../../../src/shared/progress.ts';
import { until } from '../../support/until.ts';

const ids = { workspace_id: '6f1e538c0e71', shell_id: 'c7cd34864680' };

/** A shell that answers each key by itself in capitals, and ends at `!`, at `^` with its guest; beside others, or not open yet. */
function fakeShell(running: readonly string[] = [ids.shell_id], opened = Promise.resolve()) {
  let stream = '';
  let wake = Promise.withResolvers<void>();
  const seen: { sizes: unknown[]; typed: string[]; exit: number | null; lost: boolean; opened: unknown[] } = {
    sizes: [],
    typed: [],
    exit: null,
    lost: false,
    opened: [],
  };
  const view = () => ({
    ...ids,
    program: '/bin/sh',
    cwd: '/',
    cols: 80,
    rows: 24,
    state: seen.exit === null && !seen.lost ? 'running' : 'stopped',
    started_at: 0,
    ended_at: null,
    exit_code: seen.exit,
    lost: seen.lost,
    output_bytes: stream.length,
    execution_mode: 'guest',
  });
  const call = async (name: string, input: Readonly<Record<string, unknown>>, signal: AbortSignal) => {
    signal.throwIfAborted();
    if (name === 'workspace.shell.list') {
      const ended = { ...view(), shell_id: '0'.repeat(12), state: 'stopped', exit_code: 0 };
      return { shells: [ended, ...running.map((shell_id) => ({ ...view(), shell_id }))] };
    }
    if (name === 'workspace.shell.open') {
      seen.opened.push(input);
      return { ...view(), restarted: false };
    }
    if (name === 'workspace.shell.resize') {
      seen.sizes.push([input['cols'], input['rows']]);
      return view();
    }
    if (name === 'workspace.shell.write') {
      await opened;
      const text = String(input['input']);
      seen.typed.push(text);
      stream += text.toUpperCase();
      if (text.includes('!')) seen.exit = 5;
      if (text.includes('^')) seen.lost = true;
      wake.resolve();
      wake = Promise.withResolvers();
      return { ...view(), input_length: text.length, append_newline: false };
    }
    const isRedraw = input['redraw'] === true;
    const cursor = Number(input['cursor'] ?? 0);
    if (!isRedraw && stream.length <= cursor && seen.exit === null && !seen.lost) {
      const aborted = new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      // As long as the shell of this test is quiet at most.
      const quiet = input['wait_for_idle_ms'] === undefined ? new Promise(() => undefined) : sleep(20);
      await Promise.race([wake.promise, aborted, quiet]);
    }
    return {
      ...view(),
      cursor,
      next_cursor: stream.length,
      output: isRedraw ? 'SCREEN' : stream.slice(cursor),
      truncated: false,
      plain: false,
      is_utf8: true,
      dropped_bytes: 0,
      wait_for_idle_ms: null,
      matched: null,
      screen: null,
    };
  };
  return { call, seen };
}

function fakeTerminal(isTerminal = true) {
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  let shown = '';
  stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString('utf8');
  });
  const state: { control: RunControl | undefined; released: boolean } = { control: undefined, released: false };
  const io: RunIo = {
    stdin,
    stdout,
    stderr: new PassThrough(),
    terminal: isTerminal ? { cols: 100, rows: 40 } : undefined,
    onStarted: (control) => {
      state.control = control;
      return () => {
        state.released = true;
      };
    },
  };
  return { io, stdin, state, shown: () => shown };
}

const engine: Engine = new Proxy<Engine>(Object.create(null), {});

async function attach(shell: ReturnType<typeof fakeShell>, io: RunIo | undefined, more = {}) {
  const { signal } = new AbortController();
  const none = { project: undefined, network: undefined, daemon: undefined };
  const context = { engine, io, signal, onProgress: noProgress, hostPaths: 'any' as const, ...none };
  return await shellAttach.invoke({ ...context, call: shell.call }, { ...ids, ...more });
}

describe('attach', () => {
  it('takes the size of the terminal, draws the screen, shows what comes and leaves by the key', async () => {
    const shell = fakeShell();
    const terminal = fakeTerminal();
    const outcome = attach(shell, terminal.io);
    await until(() => terminal.state.control !== undefined);
    expect(shell.seen.sizes).toEqual([[100, 40]]);
    expect(terminal.shown()).toContain('SCREEN');
    terminal.stdin.write('ls');
    await until(() => terminal.shown().includes('LS'));
    terminal.state.control?.resize({ cols: 50, rows: 10 });
    await until(() => shell.seen.sizes.length === 2);
    terminal.stdin.write('x\u001dy');
    expect((await outcome).output).toMatchObject({ left: 'detached', exit_code: null });
    expect(shell.seen.typed.join('')).toBe('lsx');
    expect(terminal.state.released).toBe(true);
  });

  it('keeps the order of what is typed faster than it is sent', async () => {
    const gate = Promise.withResolvers<void>();
    const shell = fakeShell([ids.shell_id], gate.promise);
    const terminal = fakeTerminal();
    const outcome = attach(shell, terminal.io, { detach_key: 'ctrl-q' });
    await until(() => terminal.state.control !== undefined);
    const keys = Array.from({ length: 40 }, (_, index) => String.fromCharCode(97 + (index % 26)));
    for (const key of keys) {
      terminal.stdin.write(key);
      await nextTurn();
    }
    gate.resolve();
    await until(() => shell.seen.typed.join('') === keys.join(''));
    expect(shell.seen.typed.length).toBeLessThan(keys.length);
    terminal.stdin.write('\u0011');
    await outcome;
    expect(terminal.shown()).toContain(keys.join('').toUpperCase());
  });

  it('does not break a character that comes in two pieces', async () => {
    const shell = fakeShell();
    const terminal = fakeTerminal();
    const outcome = attach(shell, terminal.io);
    await until(() => terminal.state.control !== undefined);
    const bytes = Buffer.from('ü');
    terminal.stdin.write(bytes.subarray(0, 1));
    await nextTurn();
    terminal.stdin.write(bytes.subarray(1));
    await until(() => shell.seen.typed.join('') === 'ü');
    terminal.stdin.write('\u001d');
    await outcome;
  });

  it('ends with the shell, whose exit code it has', async () => {
    const shell = fakeShell();
    const terminal = fakeTerminal();
    const outcome = attach(shell, terminal.io);
    await until(() => terminal.state.control !== undefined);
    terminal.stdin.write('bye!');
    const { output, exitCode } = await outcome;
    expect(output).toMatchObject({ left: 'ended', exit_code: 5 });
    expect(exitCode).toBe(5);
    expect(terminal.shown()).toContain('BYE!');
  });

  it('fails where the guest ends before the shell', async () => {
    const terminal = fakeTerminal();
    const outcome = attach(fakeShell(), terminal.io);
    await until(() => terminal.state.control !== undefined);
    terminal.stdin.write('bye^');
    await expect(outcome).rejects.toMatchObject({ code: 'guest_unreachable' });
    expect(terminal.shown()).toContain('BYE^');
    expect(terminal.state.released).toBe(true);
  });

  it('without a terminal leaves when its input is over and nothing more comes', async () => {
    const shell = fakeShell();
    const terminal = fakeTerminal(false);
    const outcome = attach(shell, terminal.io);
    terminal.stdin.end('echo');
    expect((await outcome).output).toMatchObject({ left: 'detached' });
    expect(terminal.shown()).toBe('SCREENECHO');
  });

  it.each([
    ['takes the only one that runs', [ids.shell_id], []],
    [
      'opens one of the size of the terminal where none runs',
      [],
      [{ workspace_id: ids.workspace_id, cols: 100, rows: 40 }],
    ],
  ])('without an id %s', async (_what, running, opened) => {
    const shell = fakeShell(running);
    const terminal = fakeTerminal();
    const outcome = attach(shell, terminal.io, { shell_id: undefined });
    await until(() => terminal.state.control !== undefined);
    terminal.stdin.write('\u001d');
    expect((await outcome).output).toMatchObject({ shell_id: ids.shell_id, left: 'detached' });
    expect(shell.seen.opened).toEqual(opened);
  });

  it('without an id asks which where several run', async () => {
    const shell = fakeShell([ids.shell_id, 'aaaaaaaaaaaa']);
    await expect(attach(shell, fakeTerminal().io, { shell_id: undefined })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('aaaaaaaaaaaa'),
    });
  });

  it('needs streams', async () => {
    await expect(attach(fakeShell(), undefined)).rejects.toMatchObject({ code: 'not_a_terminal' });
  });
});
