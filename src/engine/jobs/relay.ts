// A guest's session lent to a job in another process: its requests are passed on, and the daemon looks at none of them.
import {
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import { type GuestClient, sessionMemory, sessionSettings, sessionWindow } from '../../agent/guest-client.ts';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = constants;

/** Serves requests to a guest on a pipe, as the guest itself would, until the pipe or what comes back is disposed of. */
export function relay(pipe: Duplex, client: GuestClient): Disposable {
  const session = performServerHandshake(pipe, {
    settings: sessionSettings,
    maxSessionMemory: sessionMemory,
  });
  // A job that has ended breaks the pipe: its streams end with it.
  session.on('error', () => undefined);
  session.setLocalWindowSize(sessionWindow);
  session.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    pass(client, stream, headers);
  });
  return {
    [Symbol.dispose]: () => {
      session.destroy();
      pipe.destroy();
    },
  };
}

function pass(client: GuestClient, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const { ':method': method = 'GET', ':path': path = '/', 'content-length': length } = headers;
  let guest: ClientHttp2Stream;
  try {
    guest = client.open(method, path, {}, length === undefined ? {} : { 'content-length': Number(length) });
  } catch {
    // The job hears of a lost connection, and says so.
    stream.close(NGHTTP2_CANCEL);
    return;
  }
  guest.once('response', (answer) => {
    if (stream.destroyed || stream.headersSent) return;
    const told = Object.entries(answer).filter(([name]) => !name.startsWith(':') || name === ':status');
    stream.respond(Object.fromEntries(told));
    guest.pipe(stream);
  });
  guest.once('close', () => {
    // What was cut off must not look like an end.
    const isWhole = guest.readableEnded && stream.headersSent;
    stream.close(isWhole ? NGHTTP2_NO_ERROR : guest.rstCode || NGHTTP2_CANCEL);
  });
  stream.pipe(guest);
  stream.once('aborted', () => guest.close(NGHTTP2_CANCEL));
  stream.once('close', () => {
    if (!guest.closed) guest.close(NGHTTP2_CANCEL);
  });
}
