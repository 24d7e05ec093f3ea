// Reading HTTP/2 streams late, slowly, and when they break.
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, createServer, type Http2Server } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { chunksIn } from '../../../src/system/stream-chunks.ts';

let server: Http2Server;
let session: ClientHttp2Session;

beforeAll(async () => {
  server = createServer();
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200 });
    if (headers[':path'] === '/whole') stream.end('all of it');
    else stream.write('a part', () => stream.destroy(new Error('broken')));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  session = connect(`http://127.0.0.1:${address.port}`);
});

afterAll(() => {
  session.close();
  server.close();
});

function ask(path: string): ClientHttp2Stream {
  const stream = session.request({ ':path': path }, { endStream: true });
  stream.on('error', () => undefined);
  return stream;
}

async function textOf(stream: ClientHttp2Stream): Promise<string> {
  let text = '';
  for await (const chunk of chunksIn(stream)) text += chunk.toString();
  return text;
}

it('an answer is read whole, at once and long after both sides have closed its stream', async () => {
  expect(await textOf(ask('/whole'))).toBe('all of it');
  const late = ask('/whole');
  await once(late, 'response');
  while (!late.closed) await sleep(5);
  expect(await textOf(late)).toBe('all of it');
});

it('one that breaks off is no whole answer', async () => {
  await expect(textOf(ask('/broken'))).rejects.toThrow();
  const late = ask('/broken');
  while (!late.closed) await sleep(5);
  await expect(textOf(late)).rejects.toThrow();
});

it('who stops early leaves no listener behind', async () => {
  const stream = ask('/whole');
  const before = stream.listenerCount('readable');
  for await (const chunk of chunksIn(stream)) {
    expect(chunk.toString()).toBe('all of it');
    break;
  }
  expect(stream.listenerCount('readable')).toBe(before);
  stream.destroy();
});
