// One page of a server, asked for by this machine itself: through its proxy, with the certificates that it trusts.
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Socket } from 'node:net';
import { connect as connectTls, rootCertificates } from 'node:tls';
import { dialThrough } from './upstream.ts';

export interface FetchOptions {
  /** Proxy of this machine for that address */
  readonly proxy: string | undefined;
  /** Certificates that are trusted beside the usual ones, PEM */
  readonly certificates: string | undefined;
  readonly accept?: string;
  /** Login for the page, as its header has it */
  readonly authorization?: string | undefined;
}

const timeoutMs = 8000;
const longestPage = 4 * 1024 * 1024;

/** The text of a page; undefined when it does not come whole, in time and with status 200. */
export async function fetchText(url: string, options: FetchOptions): Promise<string | undefined> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return await fetchOnce(new URL(url), options, signal);
  } catch {
    // Whoever asks can do without: there are hosts fewer to allow, and the log will name them.
    return undefined;
  }
}

async function fetchOnce(url: URL, options: FetchOptions, signal: AbortSignal): Promise<string | undefined> {
  const { proxy, certificates, accept = '*/*', authorization } = options;
  const socket = proxy === undefined ? undefined : await dialThrough(proxy, authorityOf(url), signal);
  const login = authorization === undefined ? {} : { authorization };
  const headers = { accept, 'user-agent': 'pyro', connection: 'close', ...login };
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  const ca = certificates === undefined ? undefined : [...rootCertificates, certificates];
  const secure = (): Socket => connectTls({ socket, servername: url.hostname, ...(ca === undefined ? {} : { ca }) });
  const isSecure = url.protocol === 'https:';
  const request = (isSecure ? requestHttps : requestHttp)(url, {
    headers,
    signal,
    ...(isSecure && ca !== undefined ? { ca } : {}),
    ...(socket === undefined ? { agent: false } : { createConnection: () => (isSecure ? secure() : socket) }),
  });
  request.once('error', reject).once('response', (response) => {
    const chunks: Buffer[] = [];
    let size = 0;
    response.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > longestPage) response.destroy(new Error('the page is too long'));
      else chunks.push(chunk);
    });
    response.once('error', reject);
    response.once('end', () =>
      resolve(response.statusCode === 200 ? Buffer.concat(chunks).toString('utf8') : undefined),
    );
  });
  request.end();
  try {
    return await promise;
  } finally {
    socket?.destroy();
  }
}

export function authorityOf(url: URL): string {
  return `${url.hostname}:${url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port}`;
}
