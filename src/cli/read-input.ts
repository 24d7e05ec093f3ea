// The whole of standard input as bytes, for what a command takes into its input; what streams goes by the live streams.
import { PyroError } from '../shared/errors.ts';
import { inputError } from '../shared/input-error.ts';
import { formatBytes } from '../shared/units.ts';

/** Throws `input_failed` if it cannot be read to its end, `usage` for more bytes than that, and the signal's reason. */
export async function readInput(signal: AbortSignal, mostBytes: number, tooMuch?: string): Promise<Buffer> {
  const onAbort = (): void => void process.stdin.destroy();
  signal.throwIfAborted();
  signal.addEventListener('abort', onAbort, { once: true });
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of process.stdin) {
      const bytes = Buffer.from(chunk);
      chunks.push(bytes);
      size += bytes.length;
      if (size > mostBytes) break;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw inputError(error);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
  signal.throwIfAborted();
  if (size > mostBytes)
    throw new PyroError('usage', `standard input has more than ${formatBytes(mostBytes)}`, { hint: tooMuch });
  return Buffer.concat(chunks);
}
