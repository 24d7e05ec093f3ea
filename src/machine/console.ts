// The console of a guest that outlives us: what it writes while we listen, for the error when it does not come up.
import { connect } from 'node:net';

/** Reads until the guest or its reader goes, which the result tells; never keeps the process alive, never fails. */
export function readConsole(
  path: string,
  onText: (text: string) => void,
): { readonly closed: Promise<void> } & Disposable {
  const socket = connect(path);
  socket.setEncoding('utf8');
  // The console is only for error messages: without it they are shorter.
  socket.on('error', () => undefined);
  socket.on('data', (text: string) => onText(text));
  socket.unref();
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return { closed, [Symbol.dispose]: () => void socket.destroy() };
}
