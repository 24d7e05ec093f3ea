// The hello below HTTP/2: tells the agent to drop its old session and skips what that session still had under way.
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { PyroError } from '../shared/errors.ts';
import { PacedChannel } from './paced-channel.ts';

const partBytes = 16;
/** The first wait for an answer before the hello is said again; each further one is twice as long, `ms` */
const patienceMs = 2000;

/**
 * Connects to a guest's channel and performs the hello.
 * @returns a channel whose next byte belongs to the new session
 * @throws `guest_unreachable` when no answer comes within `timeoutMs`
 */
export async function openChannel(
  path: string,
  magic: Buffer,
  options: {
    readonly timeoutMs: number;
    readonly signal?: AbortSignal | undefined;
    /** Length of what the guest sends before its first frame, `bytes` */
    readonly preface?: number;
  },
): Promise<PacedChannel> {
  options.signal?.throwIfAborted();
  const socket = connect(path);
  const answer = Buffer.from(magic.map((byte) => ~byte & 0xff));
  let expected = answer;
  let again: NodeJS.Timeout | undefined;
  // An agent of an older kit takes the late news of the last host's end for that of the next one, whose hello it has read.
  // Only the answer to the last hello counts: a guest that hears several begins a session for each.
  const greet = (waitMs: number): void => {
    const nonce = randomBytes(partBytes);
    expected = Buffer.concat([answer, nonce]);
    socket.write(Buffer.concat([magic, nonce]));
    again = setTimeout(() => greet(2 * waitMs), waitMs);
  };
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  let tail: Buffer = Buffer.alloc(0);

  const onReadable = (): void => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    const seen = Buffer.concat([tail, chunk]);
    const at = seen.indexOf(expected);
    if (at < 0) {
      tail = seen.subarray(Math.max(0, seen.length - expected.length + 1));
      return;
    }
    // What is put back must not be taken again here: the guest may have begun to speak already.
    socket.off('readable', onReadable);
    const after = seen.subarray(at + expected.length);
    if (after.length > 0) socket.unshift(after);
    resolve(socket);
  };
  const onError = (cause: Error): void =>
    reject(new PyroError('guest_unreachable', `the guest's channel ${path} failed: ${cause.message}`, { cause }));
  const onClose = (): void => reject(new PyroError('guest_unreachable', "the guest's channel was closed"));
  const onAbort = (): void => reject(options.signal?.reason);
  const timer = setTimeout(
    () => reject(new PyroError('guest_unreachable', `the guest did not answer within ${options.timeoutMs} ms`)),
    options.timeoutMs,
  );
  socket.on('readable', onReadable).on('error', onError).on('close', onClose);
  socket.once('connect', () => greet(patienceMs));
  options.signal?.addEventListener('abort', onAbort, { once: true });
  // Whoever uses the socket is told by its streams; a reset that comes between two listeners must not end this process.
  socket.on('error', () => undefined);
  try {
    return new PacedChannel(await promise, options.preface);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    clearTimeout(again);
    options.signal?.removeEventListener('abort', onAbort);
    socket.off('readable', onReadable).off('error', onError).off('close', onClose);
  }
}
