// What a result shows of a command's output: all of it, or head and tail within a budget that both streams share.

import type { ShownOutput } from '../../contract/commands.ts';
import { decodeSlice } from '../output/text.ts';
import type { CommandLog, StreamName } from './command-log.ts';

export async function showOutput(log: CommandLog, sequence: number, budget: number): Promise<ShownOutput> {
  const sizes = await log.sizes(sequence);
  const half = Math.floor(budget / 2);
  // A stream that needs less than its half leaves the rest to the other.
  const room = {
    stdout: Math.max(half, budget - sizes.stderr),
    stderr: Math.max(half, budget - sizes.stdout),
  };
  const stdout = await showStream(log, sequence, 'stdout', sizes.stdout, room.stdout);
  const stderr = await showStream(log, sequence, 'stderr', sizes.stderr, room.stderr);
  return {
    stdout: stdout.text,
    stderr: stderr.text,
    stdout_bytes: sizes.stdout,
    stderr_bytes: sizes.stderr,
    truncated: sizes.stdout > room.stdout || sizes.stderr > room.stderr,
    is_utf8: stdout.isUtf8 && stderr.isUtf8,
  };
}

async function showStream(
  log: CommandLog,
  sequence: number,
  stream: StreamName,
  size: number,
  room: number,
): Promise<{ text: string; isUtf8: boolean }> {
  if (size <= room) return decodeSlice(await log.read(sequence, stream, 0, size), true, true);
  const headBytes = Math.floor(room / 2);
  const tailBytes = room - headBytes;
  const head = decodeSlice(await log.read(sequence, stream, 0, headBytes), true, false);
  const tail = decodeSlice(await log.read(sequence, stream, size - tailBytes, tailBytes), false, true);
  const note = `\n[… ${size - room} bytes left out: workspace_logs sequence=${sequence} stream=${stream} cursor=${headBytes} …]\n`;
  return { text: `${head.text}${note}${tail.text}`, isUtf8: head.isUtf8 && tail.isUtf8 };
}
