// The hello to a guest that is slow to hear it: said again, and only the answer to the last one counts.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openChannel } from '../../src/agent/hello.ts';

const magic = Buffer.alloc(16, 7);
const helloBytes = 32;
let folder = '';
let server: Server | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ph-'));
});
afterEach(() => {
  server?.close();
  rmSync(folder, { recursive: true, force: true });
});

const answerTo = (hello: Buffer): Buffer =>
  Buffer.concat([Buffer.from(magic.map((byte) => ~byte & 0xff)), hello.subarray(16)]);

/** A guest that gets whole hellos, and what it says to each. */
async function listen(say: (hellos: readonly Buffer[]) => Buffer): Promise<string> {
  const path = join(folder, 's');
  const hellos: Buffer[] = [];
  server = createServer((socket) => {
    let seen = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      seen = Buffer.concat([seen, chunk]);
      while (seen.length >= helloBytes) {
        hellos.push(seen.subarray(0, helloBytes));
        seen = seen.subarray(helloBytes);
        socket.write(say(hellos));
      }
    });
  });
  await new Promise<void>((resolve) => server?.listen(path, resolve));
  return path;
}

it('one that was left unread is followed by another', async () => {
  const path = await listen(([_first, second]) => (second === undefined ? Buffer.alloc(0) : answerTo(second)));
  const socket = await openChannel(path, magic, { timeoutMs: 10_000 });
  socket.destroy();
});

it('a late answer to an earlier one begins nothing', async () => {
  const session = Buffer.from('the session');
  const path = await listen(([first, second]) =>
    first === undefined || second === undefined
      ? Buffer.alloc(0)
      : Buffer.concat([answerTo(first), Buffer.from('of the first'), answerTo(second), session]),
  );
  const socket = await openChannel(path, magic, { timeoutMs: 10_000 });
  expect(socket.read()).toEqual(session);
  socket.destroy();
});

it('a guest that never answers is given up', async () => {
  const path = await listen(() => Buffer.alloc(0));
  await expect(openChannel(path, magic, { timeoutMs: 300 })).rejects.toMatchObject({
    code: 'guest_unreachable',
    message: 'the guest did not answer within 300 ms',
  });
});
