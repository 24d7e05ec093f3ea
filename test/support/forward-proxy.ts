// A forward proxy on loopback with a login, as a network has one: CONNECT alone, by names that only it can resolve.
import { connect } from 'node:net';
import { openService } from './network.ts';

export interface ForwardProxy extends AsyncDisposable {
  readonly port: number;
  /** First lines of what it was asked for with the right login */
  readonly asked: readonly string[];
  /** Those with a wrong login, or none */
  readonly refused: readonly string[];
}

/** `names`: ports of 127.0.0.1 by `host:port`. `login`: `user:password`. */
export async function openForwardProxy(names: ReadonlyMap<string, number>, login: string): Promise<ForwardProxy> {
  const asked: string[] = [];
  const refused: string[] = [];
  const wanted = `proxy-authorization: basic ${Buffer.from(login).toString('base64')}`.toLowerCase();
  const service = await openService((socket) =>
    socket.once('data', (chunk: Buffer) => {
      const [line = '', ...fields] = chunk.toString('latin1').split('\r\n');
      if (!fields.some((field) => field.toLowerCase() === wanted)) {
        refused.push(line);
        socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm="network"\r\n\r\n');
        return;
      }
      asked.push(line);
      const port = names.get(/^CONNECT (\S+) HTTP\/1\.1$/.exec(line)?.[1] ?? '');
      if (port === undefined) {
        socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
        return;
      }
      const onward = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        socket.pipe(onward);
        onward.pipe(socket);
      });
      onward.on('error', () => socket.destroy());
      socket.on('close', () => onward.destroy());
    }),
  );
  return { port: service.port, asked, refused, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
}
