// Reading a shell: waiting for what is expected, then a part of its stream, as it came, as text, or as a screen.
import { stripVTControlCharacters } from 'node:util';
import type { ShellReadInput, ShellReadOutput } from '../../contract/shells.ts';
import { PyroError } from '../../shared/errors.ts';
import { kibibyte, mebibyte } from '../../shared/units.ts';
import { waitForAny } from '../../shared/waiting.ts';
import { unfinishedRest } from '../output/cut.ts';
import { parsePattern } from '../output/pattern.ts';
import { beyondPage, decodeSlice, wholePage } from '../output/text.ts';
import type { Shell } from './shell.ts';
import { viewOfShell } from './shell-record.ts';

/** Longest wait if no limit was given, `s` */
const usualWaitSeconds = 30;
/** How much of the newest output is searched for a pattern */
const searchedBytes = 64 * kibibyte;
/** How much of the newest output a screen is drawn from */
export const drawnBytes = 8 * mebibyte;
/** Least time between two searches for a pattern, `ms` */
const betweenLooksMs = 10;
/** Wait for the rest of a character or sequence at the end, `ms` */
const restMs = 100;

export async function readShell(
  workspaceId: string,
  shell: Shell,
  request: ShellReadInput,
  signal: AbortSignal,
): Promise<ShellReadOutput> {
  const { cursor, plain } = request;
  if (cursor > shell.log.end) {
    throw new PyroError(
      'usage',
      `shell ${shell.record.id} has written ${shell.log.end} bytes, but the cursor is ${cursor}`,
    );
  }
  const matched = await waitForOutput(shell, request, signal);
  const common = {
    plain,
    wait_for_idle_ms: request.wait_for_idle_ms ?? null,
    matched,
  };
  if (!request.screen && !request.redraw) {
    const part = await readPart(shell, request, signal);
    return { ...viewOfShell(workspaceId, shell.record, shell.log.end), ...common, ...part, screen: null };
  }
  const end = shell.log.end;
  const screen = await drawScreen(shell, end);
  const look = screen.look();
  return {
    ...viewOfShell(workspaceId, shell.record, shell.log.end),
    ...common,
    cursor,
    next_cursor: end,
    output: request.screen ? '' : screen.redraw(),
    truncated: false,
    is_utf8: true,
    dropped_bytes: Math.max(0, shell.log.start - cursor),
    screen: {
      lines: look.lines,
      cursor_row: look.cursorRow,
      cursor_col: look.cursorCol,
      is_alternate: look.isAlternate,
    },
  };
}

/** Whether the pattern was seen; null without one. */
async function waitForOutput(
  shell: Shell,
  { cursor, max_chars: maxChars, wait_for: waitFor, wait_for_idle_ms: waitForIdleMs, wait_seconds }: ShellReadInput,
  signal: AbortSignal,
): Promise<boolean | null> {
  const pattern = waitFor === undefined ? undefined : parsePattern(waitFor);
  const waits = pattern !== undefined || waitForIdleMs !== undefined;
  const waitMs = (wait_seconds ?? (waits ? usualWaitSeconds : 0)) * 1000;
  const started = performance.now();
  for (;;) {
    const changed = shell.log.changed();
    if (await pattern?.isIn(await newestText(shell, cursor))) return true;
    const now = performance.now();
    const missed = pattern === undefined ? null : false;
    let leftMs = started + waitMs - now;
    if (!shell.isRunning || !shell.isFollowed || leftMs <= 0) return missed;
    if (waitForIdleMs !== undefined) {
      const quietMs = now - Math.max(started, shell.lastOutputMs);
      if (quietMs >= waitForIdleMs) return missed;
      if (pattern === undefined && shell.log.end - cursor >= maxChars) return missed;
      leftMs = Math.min(leftMs, waitForIdleMs - quietMs);
    } else if (pattern === undefined && shell.log.end > cursor) return missed;
    await waitForAny([changed], leftMs, signal);
    // In a flood there is no need to look at every drop.
    if (pattern !== undefined) await waitForAny([], betweenLooksMs, signal);
  }
}

async function newestText(shell: Shell, cursor: number): Promise<string> {
  const from = Math.max(cursor, shell.log.end - searchedBytes);
  const { bytes } = await shell.log.read(from, searchedBytes);
  return stripVTControlCharacters(bytes.toString('utf8'));
}

type Part = Pick<ShellReadOutput, 'cursor' | 'next_cursor' | 'output' | 'truncated' | 'is_utf8' | 'dropped_bytes'>;

async function readPart(shell: Shell, request: ShellReadInput, signal: AbortSignal): Promise<Part> {
  const { cursor, max_chars: maxChars, plain: isPlain } = request;
  let { from, bytes } = await shell.log.read(cursor, maxChars + beyondPage);
  let page = bytes.subarray(0, maxChars);
  let rest = unfinishedRest(page, isPlain);
  if (rest === bytes.length && rest > 0) {
    // Only the beginning of something: its rest comes at once or never.
    await waitForAny([shell.log.changed()], restMs, signal);
    ({ from, bytes } = await shell.log.read(cursor, maxChars + beyondPage));
    page = bytes.subarray(0, maxChars);
    rest = unfinishedRest(page, isPlain);
  }
  const isEnd = !shell.isRunning && from + bytes.length >= shell.log.end;
  // A sequence that will not end in this page is cut, a character is not.
  if (rest === page.length || (isEnd && page.length === bytes.length)) {
    page = wholePage(bytes, maxChars, isEnd);
    rest = 0;
  }
  const whole = page.subarray(0, page.length - rest);
  const { text, isUtf8 } = decodeSlice(whole, from === cursor, true);
  const next = from + whole.length;
  return {
    cursor,
    next_cursor: next,
    output: isPlain ? await toPlain(shell, from, whole, maxChars) : text,
    truncated: next + rest < shell.log.end,
    is_utf8: isUtf8,
    dropped_bytes: from - cursor,
  };
}

async function toPlain(shell: Shell, from: number, bytes: Buffer, maxChars: number): Promise<string> {
  // Loaded on first use: few calls need an emulator.
  const { plainText } = await import('../output/terminal-emulator.ts');
  const size = shell.record.sizes.findLast(({ at }) => at <= from) ?? { cols: 120, rows: 30 };
  return await plainText(bytes, size, maxChars);
}

/** The screen as the kept output draws it, with the sizes that the terminal had on the way. */
async function drawScreen(shell: Shell, end: number) {
  const { EmulatedScreen } = await import('../output/terminal-emulator.ts');
  const { sizes } = shell.record;
  let at = Math.max(shell.log.start, end - drawnBytes);
  const first = sizes.findLast((size) => size.at <= at) ?? { cols: 120, rows: 30 };
  const screen = new EmulatedScreen(first);
  for (const size of [...sizes.filter((each) => each.at > at), undefined]) {
    const until = size?.at ?? end;
    while (at < until) {
      const { from, bytes } = await shell.log.read(at, Math.min(mebibyte, until - at));
      if (bytes.length === 0) break;
      await screen.feed(bytes);
      at = from + bytes.length;
    }
    if (size !== undefined) screen.resize(size);
  }
  return screen;
}
