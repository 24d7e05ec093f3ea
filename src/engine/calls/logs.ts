// The commands of a workspace as history, and the output of one of them page by page, even while it runs.

import type { WorkspaceCall } from '../../contract/call.ts';
import { type LogEntry, type LogsInput, type LogsOutput, resultBytes } from '../../contract/commands.ts';
import type { CommandRecord } from '../../contract/records.ts';
import { PyroError } from '../../shared/errors.ts';
import { waitForAny } from '../../shared/waiting.ts';
import type { StreamName } from '../commands/command-log.ts';
import { showOutput } from '../commands/command-output.ts';
import { beyondPage, decodeSlice, wholePage } from '../output/text.ts';
import type { Workspace } from '../workspace/workspace.ts';

const previewBytes = 400;
const mostEntries = 200;
const usualEntries = 20;

export async function readLogs(workspace: Workspace, request: LogsInput, call: WorkspaceCall): Promise<LogsOutput> {
  return request.sequence === undefined
    ? await readHistory(workspace, request, call)
    : await readCommand(workspace, request.sequence, request, call);
}

/** Newest commands last; waits for running ones. The cursor is the sequence after which to continue. */
async function readHistory(
  workspace: Workspace,
  { cursor, limit = usualEntries, wait_seconds }: LogsInput,
  call: WorkspaceCall,
): Promise<LogsOutput> {
  const waitMs = wait_seconds * 1000;
  const running = workspace.runs.sequences.flatMap((sequence) => workspace.runs.get(sequence)?.done ?? []);
  if (waitMs > 0 && running.length > 0) await waitForAny([Promise.all(running)], waitMs, call.signal);
  const { sequences, goneCount } = workspace.log;
  const count = Math.min(limit, mostEntries);
  const page =
    cursor === undefined ? sequences.slice(-count) : sequences.filter((each) => each > cursor).slice(0, count);
  const entries: LogEntry[] = [];
  for (const sequence of page) {
    const record = await workspace.log.find(sequence);
    if (record !== undefined) entries.push(await entryOf(workspace, record, previewBytes));
  }
  const last = page.at(-1);
  const isMore = last !== undefined && last < (sequences.at(-1) ?? 0);
  return {
    workspace_id: workspace.record.id,
    count: sequences.length,
    gone_count: goneCount > 0 ? goneCount : null,
    entries,
    next_cursor: isMore ? last : null,
  };
}

async function readCommand(
  workspace: Workspace,
  sequence: number,
  request: LogsInput,
  call: WorkspaceCall,
): Promise<LogsOutput> {
  const { stream, cursor = 0, limit = resultBytes } = request;
  const waitMs = request.wait_seconds * 1000;
  await workspace.log.get(sequence);
  if (stream === 'both') {
    if (request.cursor !== undefined) {
      throw new PyroError('usage', 'a cursor counts the bytes of one stream', {
        hint: 'give stream: stdout or stderr',
      });
    }
    await waitForMore(workspace, sequence, async () => false, waitMs, call);
    const entry = await entryOf(workspace, await workspace.log.get(sequence), limit);
    return { workspace_id: workspace.record.id, count: 1, gone_count: null, entries: [entry], next_cursor: null };
  }
  const hasMore = async (): Promise<boolean> => (await workspace.log.sizes(sequence))[stream] > cursor;
  await waitForMore(workspace, sequence, hasMore, waitMs, call);
  return await readPage(workspace, sequence, stream, cursor, limit);
}

async function readPage(
  workspace: Workspace,
  sequence: number,
  stream: StreamName,
  cursor: number,
  limit: number,
): Promise<LogsOutput> {
  // The record first: output that comes after its end does not exist.
  const record = await workspace.log.get(sequence);
  const sizes = await workspace.log.sizes(sequence);
  if (cursor > sizes[stream]) {
    throw new PyroError(
      'usage',
      `${stream} of command ${sequence} has ${sizes[stream]} bytes, but the cursor is ${cursor}`,
    );
  }
  const read = await workspace.log.read(sequence, stream, cursor, limit + beyondPage);
  const isEnd = cursor + read.length >= sizes[stream] && record.ended_at !== null;
  const bytes = wholePage(read, limit, isEnd);
  const next = cursor + bytes.length;
  const { text, isUtf8 } = decodeSlice(bytes, true, true);
  const entry = { ...metaOf(record), stdout: '', stderr: '', [stream]: text, is_utf8: isUtf8 };
  return {
    workspace_id: workspace.record.id,
    count: 1,
    gone_count: null,
    entries: [{ ...entry, stdout_bytes: sizes.stdout, stderr_bytes: sizes.stderr }],
    next_cursor: next >= sizes[stream] && record.ended_at !== null ? null : next,
  };
}

async function waitForMore(
  workspace: Workspace,
  sequence: number,
  hasMore: () => Promise<boolean>,
  waitMs: number,
  call: WorkspaceCall,
): Promise<void> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const run = workspace.runs.get(sequence);
    const changed = run?.changed();
    if (run === undefined || changed === undefined || (await hasMore())) return;
    const left = deadline - performance.now();
    if (left <= 0) return;
    await waitForAny([changed, run.done], left, call.signal);
  }
}

function metaOf(record: CommandRecord) {
  return {
    sequence: record.sequence,
    command: record.command,
    cwd: record.cwd,
    running: record.ended_at === null,
    exit_code: record.exit_code,
    timed_out: record.timed_out,
    duration_ms: Math.round(((record.ended_at ?? Date.now() / 1000) - record.started_at) * 1000),
    execution_mode: 'guest' as const,
    recorded_at: record.started_at,
  };
}

async function entryOf(workspace: Workspace, record: CommandRecord, budget: number): Promise<LogEntry> {
  const { truncated: _, ...output } = await showOutput(
    workspace.log,
    record.sequence,
    budget,
    record.ended_at !== null,
  );
  return { ...metaOf(record), ...output };
}
