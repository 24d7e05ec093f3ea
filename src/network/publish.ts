// Published ports: a listener on the host's loopback, each connection of which is a stream into the guest.
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { PyroError, systemCodeOf } from '../shared/errors.ts';
import { joinStreams } from './tunnel.ts';

export interface PublishOptions {
  /** Port of the host's loopback; a free one when absent */
  readonly hostPort?: number | undefined;
  readonly guestPort: number;
  /** Opens a connection to a port of the guest; it may start or resume the guest first */
  readonly connect: (guestPort: number) => Promise<Duplex>;
}

const mostConnections = 256;

export class PublishedPort implements AsyncDisposable {
  readonly hostPort: number;
  readonly guestPort: number;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>, hostPort: number, guestPort: number) {
    this.#server = server;
    this.#sockets = sockets;
    this.hostPort = hostPort;
    this.guestPort = guestPort;
  }

  /** Listens on 127.0.0.1. Throws `port_taken`. */
  static async open(options: PublishOptions): Promise<PublishedPort> {
    const { guestPort, connect } = options;
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
      void serve(socket, guestPort, connect);
    });
    server.maxConnections = mostConnections;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject).listen(options.hostPort ?? 0, '127.0.0.1', resolve);
    try {
      await promise;
    } catch (cause) {
      throw new PyroError('port_taken', `port ${options.hostPort} of the host cannot be used: ${systemCodeOf(cause)}`, {
        hint: 'name another host port, or leave it out to get a free one',
        cause,
      });
    }
    // A connection that could not be taken, for want of descriptors say, is one that its client makes again.
    server.on('error', () => undefined);
    return new PublishedPort(server, sockets, portOf(server.address()), guestPort);
  }

  /** Ends the listener and every connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const socket of this.#sockets) socket.destroy();
    await promise;
  }
}

async function serve(socket: Socket, guestPort: number, connect: PublishOptions['connect']): Promise<void> {
  try {
    const stream = await connect(guestPort);
    stream.on('error', () => undefined);
    if (socket.destroyed) stream.destroy();
    else await joinStreams(stream, socket);
  } catch {
    // Nobody listens in the guest, or it is gone: the client meets what it would meet there.
    socket.resetAndDestroy();
  }
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === 'object' && address !== null ? address.port : 0;
}
