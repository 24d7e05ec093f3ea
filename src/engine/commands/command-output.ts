// What a result shows of a command's output: all of it, or head and tail within a budget that both streams share.

import type { ShownOutput } from '../../contract/commands.ts';
import { cutSizes, joinEnds } from '../output/head-and-tail.ts';
import type { OutputText } from '../output/text.ts';
import type { CommandLog, StreamName } from './command-log.ts';

/** @param isOver whether the command had already ended: then no more output follows */
export async function showOutput(
  log: CommandLog,
  sequence: number,
  budget: number,
  isOver: boolean,
): Promise<ShownOutput> {
  const sizes = await log.sizes(sequence);
  const half = Math.floor(budget / 2);
  // A stream that needs less than its half leaves the rest to the other.
  const room = {
    stdout: Math.max(half, budget - sizes.stderr),
    stderr: Math.max(half, budget - sizes.stdout),
  };
  const show = async (stream: StreamName): Promise<OutputText> => {
    const size = sizes[stream];
    const isCut = size > room[stream];
    const { headBytes, tailBytes } = isCut ? cutSizes(room[stream]) : { headBytes: size, tailBytes: 0 };
    const head = await log.read(sequence, stream, 0, headBytes);
    const tail = isCut ? await log.read(sequence, stream, size - tailBytes, tailBytes) : Buffer.alloc(0);
    return joinEnds(
      { head, tail, size, isOver },
      (leftOut, offset) =>
        `${leftOut} bytes left out: workspace_logs sequence=${sequence} stream=${stream} cursor=${offset}`,
    );
  };
  const stdout = await show('stdout');
  const stderr = await show('stderr');
  return {
    stdout: stdout.text,
    stderr: stderr.text,
    stdout_bytes: sizes.stdout,
    stderr_bytes: sizes.stderr,
    truncated: sizes.stdout > room.stdout || sizes.stderr > room.stderr,
    is_utf8: stdout.isUtf8 && stderr.isUtf8,
  };
}
