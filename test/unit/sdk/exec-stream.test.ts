// The streaming exec against scripted logs: order, offsets, half characters, lost daemons, and who ends the command.
import { describe, expect, it } from 'vitest';
import { type ExecEvent, type ExecParts, execStream } from '../../../src/sdk/exec-stream.ts';
import type { OutputOf } from '../../../src/sdk/method-types.ts';
import { PyroError } from '../../../src/shared/errors.ts';

type StreamName = 'stdout' | 'stderr';
type Turn = { readonly text: string; readonly next: number | null } | PyroError | 'hangs';

interface Script {
  readonly stdout: readonly Turn[];
  readonly stderr?: readonly Turn[];
  readonly exitCode?: number | null;
}

const end: Turn = { text: '', next: null };

/** A workspace whose command says what is in the script, page by page. */
function scripted({
  stdout,
  stderr = [end],
  exitCode = 0,
}: Script): ExecParts & { killed: number[]; cursors: number[] } {
  const turns: Record<StreamName, Turn[]> = { stdout: [...stdout], stderr: [...stderr] };
  const killed: number[] = [];
  const cursors: number[] = [];
  return {
    killed,
    cursors,
    exec: async ({ command }) => {
      if (command === 'refused') throw new PyroError('workspace_stopped', 'stopped');
      return { ...execOutput, sequence: 7 };
    },
    logs: async ({ stream, cursor } = {}, { signal } = {}) => {
      if (stream !== 'stdout' && stream !== 'stderr') throw new Error('a page has one stream');
      if (stream === 'stdout') cursors.push(cursor ?? -1);
      const turn = turns[stream].shift() ?? end;
      if (turn === 'hangs') {
        return await new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(new PyroError('cancelled', 'cancelled')), { once: true });
        });
      }
      if (turn instanceof PyroError) throw turn;
      const entry = { ...logEntry, exit_code: exitCode, [stream]: turn.text };
      return { workspace_id: '', count: 1, gone_count: null, entries: [entry], next_cursor: turn.next };
    },
    kill: async (sequence) => {
      killed.push(sequence);
    },
  };
}

const common = { command: 'x', cwd: '/', running: true, timed_out: false, duration_ms: 5, is_utf8: true };
const sizes = { stdout: '', stderr: '', stdout_bytes: 9, stderr_bytes: 0, execution_mode: 'guest' as const };
const logEntry = { ...common, ...sizes, sequence: 7, exit_code: 0, recorded_at: 0 };
const execOutput: OutputOf<'workspace.exec'> = {
  ...common,
  ...sizes,
  workspace_id: '',
  environment: '',
  environment_version: '',
  sequence: 7,
  truncated: false,
  shell: 'bash',
  exit_code: null,
  restarted: false,
  denied_connections: [],
  network_note: null,
  program_note: null,
};

async function collect(parts: ExecParts, signal?: AbortSignal): Promise<ExecEvent[]> {
  const events: ExecEvent[] = [];
  for await (const event of execStream(parts, { command: 'x' }, { signal })) events.push(event);
  return events;
}

describe('the stream of a command', () => {
  it('has every piece with its offset, then the exit, and kills nothing that has ended', async () => {
    const stdout = [
      { text: 'one', next: 3 },
      { text: 'two', next: null },
    ];
    const parts = scripted({ stdout, stderr: [{ text: 'bad', next: null }], exitCode: 3 });
    const events = await collect(parts);
    expect(events.filter(({ type }) => type === 'stdout')).toEqual([
      { type: 'stdout', sequence: 7, text: 'one', offset: 0 },
      { type: 'stdout', sequence: 7, text: 'two', offset: 3 },
    ]);
    expect(events).toContainEqual({ type: 'stderr', sequence: 7, text: 'bad', offset: 0 });
    expect(events.at(-1)).toMatchObject({ type: 'exit', exit_code: 3, timed_out: false, stdout_bytes: 9 });
    expect(parts.killed).toEqual([]);
  });

  it('waits a little for the rest of a character instead of asking without end', async () => {
    const started = performance.now();
    const parts = scripted({
      stdout: [
        { text: '', next: 0 },
        { text: 'é', next: null },
      ],
    });
    expect(await collect(parts)).toContainEqual({ type: 'stdout', sequence: 7, text: 'é', offset: 0 });
    expect(performance.now() - started).toBeGreaterThan(80);
  });

  it('reads the same page again when the daemon was lost', async () => {
    const lost = new PyroError('daemon_lost', 'lost');
    const parts = scripted({ stdout: [{ text: 'one', next: 3 }, lost, { text: 'two', next: null }] });
    const events = await collect(parts);
    expect(events.flatMap((event) => (event.type === 'stdout' ? [event.text] : []))).toEqual(['one', 'two']);
    expect(parts.cursors).toEqual([0, 3, 3]);
  });

  it('gives up after some losses, and kills the command', async () => {
    const lost = new PyroError('daemon_lost', 'lost');
    const parts = scripted({ stdout: [lost, lost, lost, { text: 'late', next: null }] });
    await expect(collect(parts)).rejects.toMatchObject({ code: 'daemon_lost' });
    expect(parts.killed).toEqual([7]);
  });

  it('kills the command when the loop is left early', async () => {
    const parts = scripted({ stdout: [{ text: 'one', next: 3 }, 'hangs'] });
    for await (const event of execStream(parts, { command: 'x' })) if (event.type === 'stdout') break;
    expect(parts.killed).toEqual([7]);
  });

  it('kills nothing when the loop is left at the last piece', async () => {
    const parts = scripted({ stdout: [{ text: 'one', next: null }] });
    for await (const event of execStream(parts, { command: 'x' })) if (event.type === 'exit') break;
    expect(parts.killed).toEqual([]);
  });

  it('kills the command and fails with cancelled when the signal is aborted', async () => {
    const parts = scripted({ stdout: [{ text: 'one', next: 3 }, 'hangs'] });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    await expect(collect(parts, controller.signal)).rejects.toMatchObject({ code: 'cancelled' });
    expect(parts.killed).toEqual([7]);
  });

  it('tells of a guest that has ended under the command', async () => {
    const parts = scripted({ stdout: [{ text: 'one', next: null }], exitCode: null });
    await expect(collect(parts)).rejects.toMatchObject({ code: 'guest_unreachable' });
  });

  it('fails as exec does when the command cannot be started', async () => {
    const parts = scripted({ stdout: [] });
    const stream = execStream(parts, { command: 'refused' });
    await expect(stream.next()).rejects.toMatchObject({ code: 'workspace_stopped' });
    expect(parts.killed).toEqual([]);
  });
});
