// What goes through a proxy of this machine: the egress asks it, with its credentials, for exactly what is allowed.
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { ask, connectTo, hostile } from '../../support/hostile-guest.ts';
import { openService, type Service } from '../../support/network.ts';

/** A proxy that opens tunnels to one service, whatever it is asked for, and notes what it was asked. */
async function openProxy(target: Service, heads: string[], refusal?: string): Promise<Service> {
  return await openService((socket) =>
    socket.once('data', (head) => {
      heads.push(head.toString('latin1'));
      if (refusal !== undefined) {
        socket.end(refusal);
        return;
      }
      const onward = connect(target.port, '127.0.0.1');
      onward.on('error', () => socket.destroy());
      // The first words of the service come in one piece with the answer.
      onward.once('data', (first) => {
        socket.write(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\nx: y\r\n\r\n'), first]));
        onward.pipe(socket);
        socket.pipe(onward);
      });
    }),
  );
}

it('is asked for by name, and nothing else goes there', async () => {
  await using service = await openService((socket) => {
    socket.write('welcome ');
    socket.pipe(socket);
  });
  const heads: string[] = [];
  await using proxy = await openProxy(service, heads);
  const route = `http://me:pass%20word@127.0.0.1:${proxy.port}`;
  // A name that only the proxy can resolve.
  const routes = new Map([
    ['far.example:443', route],
    ['not-allowed.example:443', route],
  ]);
  await using guest = await hostile({ allow: ['far.example:443', 'near.example:443'], routes });
  const stream = guest.session.request(connectTo('far.example:443'));
  stream.on('error', () => undefined);
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  stream.end('echo');
  await new Promise((resolve) => stream.once('end', resolve));
  expect(text).toBe('welcome echo');
  expect(heads).toEqual([
    `CONNECT far.example:443 HTTP/1.1\r\nHost: far.example:443\r\nProxy-Authorization: Basic ${Buffer.from('me:pass word').toString('base64')}\r\n\r\n`,
  ]);
  for (const other of ['not-allowed.example:443', 'near.example:443', 'far.example:80', `127.0.0.1:${proxy.port}`])
    expect(await ask(guest, connectTo(other))).not.toBe(200);
  expect(proxy.seen()).toBe(1);
});

it('tells what the proxy says when it refuses, without the credentials', async () => {
  await using service = await openService((socket) => socket.end());
  await using proxy = await openProxy(service, [], 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
  const routes = new Map([['far.example:443', `http://me:secret-word@127.0.0.1:${proxy.port}`]]);
  await using guest = await hostile({ allow: ['far.example:443'], routes });
  const before = guest.egress.mark;
  expect(await ask(guest, connectTo('far.example:443'))).toBe(502);
  const [attempt] = guest.egress.refusedSince(before);
  expect(attempt?.reason).toContain('407 Proxy Authentication Required');
  expect(JSON.stringify(attempt)).not.toContain('secret-word');
});
