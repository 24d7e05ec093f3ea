// A connection through the proxy of this machine: the guest asks for a host, and never sees proxy or credentials.
import { lookup } from 'node:dns/promises';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { parseAddress } from './address.ts';
import { dial } from './dial.ts';

/** Proxies of this machine for what a guest may reach, by `host:port` */
export type Routes = ReadonlyMap<string, string>;

const answerTimeoutMs = 20_000;
const longestHead = 16 * 1024;

/** Asks an HTTP proxy for a tunnel to `authority`. Throws with the proxy's own words when it refuses. */
export async function dialThrough(proxy: string, authority: string, signal: AbortSignal): Promise<Socket> {
  const url = new URL(proxy);
  const isSecure = url.protocol === 'https:';
  const port = Number(url.port === '' ? (isSecure ? 443 : 80) : url.port);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const found = await lookup(host, { all: true });
  const addresses = found.flatMap(({ address }) => parseAddress(address) ?? []);
  const plain = await dial(addresses, port, signal);
  const socket = isSecure ? connectTls({ socket: plain, servername: host }) : plain;
  try {
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${credentialsOf(url)}\r\n`);
    await readAnswer(socket, authority, AbortSignal.any([signal, AbortSignal.timeout(answerTimeoutMs)]));
    return socket;
  } catch (error) {
    socket.on('error', () => undefined).destroy();
    throw error;
  }
}

function credentialsOf({ username, password }: URL): string {
  if (username === '') return '';
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Proxy-Authorization: Basic ${Buffer.from(pair).toString('base64')}\r\n`;
}

/** Reads up to the empty line and puts back what stands behind it. */
async function readAnswer(socket: Socket, authority: string, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let seen = Buffer.alloc(0);
  const onReadable = (): void => {
    for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) {
      seen = Buffer.concat([seen, chunk]);
      const end = seen.indexOf('\r\n\r\n');
      if (end < 0 && seen.length > longestHead) reject(new Error('the proxy of this machine does not answer'));
      if (end < 0) continue;
      socket.off('readable', onReadable);
      if (seen.length > end + 4) socket.unshift(seen.subarray(end + 4));
      const [line = ''] = seen.toString('latin1').split('\r\n');
      if (/^HTTP\/1\.[01] 200\b/.test(line)) resolve();
      else reject(new Error(`the proxy of this machine refuses ${authority}: ${line.slice(0, 100)}`));
      return;
    }
  };
  const onClose = (): void => reject(new Error('the proxy of this machine closed the connection'));
  const onAbort = (): void => reject(signal.reason);
  socket.on('readable', onReadable).once('close', onClose).once('error', reject);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await promise;
  } finally {
    socket.off('readable', onReadable).off('close', onClose).off('error', reject);
    signal.removeEventListener('abort', onAbort);
  }
}
