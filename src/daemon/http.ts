// One request to the daemon over its socket, each on a connection of its own so that closing it cancels exactly one call.
import { type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { PyroError, systemCodeOf } from '../shared/errors.ts';

export interface DaemonRequest {
  readonly socket: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Longest wait for the answer to begin, `ms` */
  readonly headMs?: number;
}

/** The daemon did not take the request: nobody listens, or the connection ended before the answer began. */
export const notTaken = Symbol('not accepted');

/** An answer begins before the work does, so this covers a daemon that is busy, not one that works. */
const usualHeadMs = 20_000;

/** A connection that both sides use as they like from now on; `head` came with the answer. */
export interface Upgraded {
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** The answer's head, its body still to come. Throws `cancelled` or `daemon_unresponsive`. */
export async function sendRequest(details: DaemonRequest): Promise<IncomingMessage | typeof notTaken> {
  const answer = await send(details);
  if (typeof answer === 'object' && 'head' in answer) throw new Error('an unexpected upgrade');
  return answer;
}

/** The same for a connection that is to be upgraded; a plain answer is a refusal. */
export async function sendUpgrade(details: DaemonRequest): Promise<Upgraded | IncomingMessage | typeof notTaken> {
  return await send(details);
}

async function send(details: DaemonRequest): Promise<Upgraded | IncomingMessage | typeof notTaken> {
  const { socket, method, path, body, headers = {}, signal, headMs = usualHeadMs } = details;
  signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath: socket,
      method,
      path,
      agent: false,
      headers: {
        host: 'pyro',
        ...headers,
        ...(body === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
    });
    const finish = (act: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const onAbort = (): void => {
      finish(() => reject(signal.reason));
      outgoing.destroy();
    };
    const timer = setTimeout(() => {
      const error = new PyroError('daemon_unresponsive', `the daemon does not answer within ${headMs / 1000} s`, {
        hint: 'pyro daemon status shows it; pyro daemon stop --force kills it, and its guests keep running',
      });
      finish(() => reject(error));
      outgoing.destroy();
    }, headMs);
    signal.addEventListener('abort', onAbort, { once: true });
    outgoing.on('error', (error) => {
      const code = systemCodeOf(error) ?? '';
      const isEnded = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(code);
      finish(() => (isEnded ? resolve(notTaken) : reject(error)));
    });
    outgoing.once('upgrade', (_incoming, upgraded, head) => finish(() => resolve({ socket: upgraded, head })));
    outgoing.once('response', (incoming) => finish(() => resolve(incoming)));
    outgoing.end(body);
  });
}

/** Whole text of an answer that is short by nature. */
export async function readText(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
