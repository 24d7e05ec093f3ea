// A tunnel between a guest's stream and a socket: back-pressure and half-close both ways, bytes counted.
import type { Socket } from 'node:net';
import { type Duplex, finished } from 'node:stream';

export interface TunnelBytes {
  /** Towards the guest */
  readonly in: number;
  /** From the guest */
  readonly out: number;
}

/** Joins both until both directions have ended, or one side breaks, which breaks the other. */
export function joinStreams(guest: Duplex, socket: Socket): Promise<TunnelBytes> {
  const { promise, resolve } = Promise.withResolvers<TunnelBytes>();
  let open = 2;
  const bytes = (): TunnelBytes => ({ in: socket.bytesRead, out: socket.bytesWritten });
  const onEnd = (error?: Error | null): void => {
    open -= 1;
    if (error !== undefined && error !== null) {
      guest.destroy();
      // The peer sees a reset, as it would if the guest's program itself had gone.
      socket.resetAndDestroy();
    }
    if (open === 0) resolve(bytes());
  };
  socket.on('error', () => undefined);
  finished(guest, onEnd);
  finished(socket, onEnd);
  guest.pipe(socket);
  socket.pipe(guest);
  return promise;
}
