// An HTTPS server on loopback with a certificate of its own: HTTP/1 and 2, a Git repository as files, WebSockets that echo.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { gitIn } from './hairy-repository.ts';

export interface SecureServer extends AsyncDisposable {
  readonly port: number;
  /** HEAD of /repository.git */
  readonly commit: string;
}

/** The constant of RFC 6455, section 1.3. */
const webSocketGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Undefined where openssl is missing, which makes its certificate. */
export async function openSecureServer(host: string): Promise<SecureServer | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'pyro-tls-'));
  const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const subject = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`];
  try {
    execFileSync('openssl', ['req', ...kind, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
  } catch {
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
  const commit = makeRepository(folder);
  const sockets = new Set<Duplex>();
  const server = createSecureServer(
    { key: readFileSync(key), cert: readFileSync(cert), allowHTTP1: true },
    (request, response) => {
      const path = new URL(request.url, 'https://x').pathname;
      if (!path.startsWith('/repository.git/')) {
        response.end('over TLS\n');
        return;
      }
      try {
        response.end(readFileSync(join(folder, path)));
      } catch {
        response.statusCode = 404;
        response.end();
      }
    },
  );
  server.on('connection', (socket: Duplex) => sockets.add(socket));
  server.on('upgrade', (request: { headers: Record<string, string | undefined> }, socket: Duplex, head: Buffer) => {
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}${webSocketGuid}`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on('error', () => undefined);
    // Frames of two bytes with a mask of zeros: header, mask, text.
    let rest = Buffer.alloc(0);
    const take = (chunk: Buffer): void => {
      rest = Buffer.concat([rest, chunk]);
      for (; rest.length >= 8; rest = rest.subarray(8))
        socket.write(Buffer.concat([Buffer.from([0x81, 2]), rest.subarray(6, 8)]));
    };
    take(head);
    socket.on('data', take);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    commit,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A bare repository that plain files serve. */
function makeRepository(folder: string): string {
  const work = join(folder, 'work');
  gitIn(folder, 'init', '-q', '-b', 'main', work);
  gitIn(work, 'commit', '-q', '--allow-empty', '-m', 'first');
  gitIn(folder, 'clone', '-q', '--bare', work, join(folder, 'repository.git'));
  gitIn(join(folder, 'repository.git'), 'update-server-info');
  return gitIn(work, 'rev-parse', 'HEAD').trim();
}
