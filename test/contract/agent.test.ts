// Both sides of the guest channel against each other: our client and the real agent as a plain process on a socket.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GuestClient } from '../../src/agent/guest-client.ts';
import type { StartRequest } from '../../src/agent/messages.ts';
import { untilListening } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'pyro-agent-'));
const socket = join(folder, 's');
let magic = Buffer.alloc(16, 0xf5);
let agent: ChildProcess;

beforeAll(async () => {
  const binary = join(folder, 'agent');
  execFileSync('go', ['build', '-o', binary, './cmd/agent'], { cwd: new URL('../../guest', import.meta.url).pathname });
  agent = spawn(binary, ['--socket', socket, '--magic', magic.toString('hex')], { stdio: 'ignore' });
  await untilListening(socket);
});
afterAll(async () => {
  const ended = new Promise((resolve) => agent.once('exit', resolve));
  agent.kill('SIGTERM');
  await ended;
  rmSync(folder, { recursive: true, force: true });
});

const identity = { hostname: 'test', machineId: 'a'.repeat(32) };
const connect = async () => await GuestClient.connect(socket, magic, { timeoutMs: 10_000 });

async function resumed(): Promise<GuestClient> {
  const client = await connect();
  await client.resume(identity, undefined);
  return client;
}

async function output(client: GuestClient, request: Partial<StartRequest> & { argv: string[] }, input?: Readable) {
  const process = await client.start({ env: {}, stdin: input !== undefined, overflow: 'block', ...request });
  if (input !== undefined) void process.feed(input);
  const chunks: Buffer[] = [];
  const exit = await process.follow((_stream, bytes) => {
    chunks.push(Buffer.from(bytes));
  });
  return { bytes: Buffer.concat(chunks), exit };
}

describe('the guest channel', () => {
  it('answers nothing before the guest has resumed', async () => {
    await using client = await connect();
    await expect(client.status()).rejects.toMatchObject({
      code: 'guest_refused',
      details: { guest_code: 'not_resumed' },
    });
    await client.resume(identity, undefined);
    expect(await client.status()).toMatchObject({ activated: true });
  });

  it('refuses an identity that does not fit', async () => {
    await using client = await connect();
    await expect(client.resume({ ...identity, machineId: '../../x' }, undefined)).rejects.toMatchObject({
      code: 'guest_refused',
    });
  });

  it('carries 8 MiB in and out unchanged, with a reader that is slow at first', async () => {
    await using client = await resumed();
    const sent = Buffer.from(Array.from({ length: 1 << 20 }, (_, index) => index % 251));
    const all = Buffer.concat(Array.from({ length: 8 }, () => sent));
    const { bytes, exit } = await output(client, { argv: ['cat'] }, Readable.from([all]));
    expect(bytes.equals(all)).toBe(true);
    expect(exit).toMatchObject({ exit_code: 0, stdout_bytes: all.length });
  });

  it('runs a call while another floods', async () => {
    await using client = await resumed();
    const flood = await client.start({ argv: ['cat', '/dev/zero'], env: {}, stdin: false, overflow: 'block' });
    expect((await output(client, { argv: ['echo', 'through'] })).bytes.toString('utf8')).toBe('through\n');
    await flood.signal('KILL', 'all');
    expect(await flood.follow(() => undefined)).toMatchObject({ signal: 'KILL', exit_code: 137 });
  });

  it('comes up clean on each of 50 reconnects that cut a download', async () => {
    for (let turn = 0; turn < 50; turn++) {
      const client = await resumed();
      const flood = await client.start({
        argv: ['head', '-c', '20000000', '/dev/zero'],
        env: {},
        stdin: false,
        overflow: 'block',
      });
      void flood.follow(() => undefined).catch(() => undefined);
      await client[Symbol.asyncDispose]();
    }
    await using client = await resumed();
    expect((await output(client, { argv: ['echo', 'clean'] })).bytes.toString('utf8')).toBe('clean\n');
  });

  it('gives a refusal of the guest its own code', async () => {
    await using client = await resumed();
    await expect(output(client, { argv: ['no-such-program'] })).rejects.toMatchObject({ code: 'command_not_found' });
    await expect(output(client, { argv: ['true'], cwd: '/no/such' })).rejects.toMatchObject({ code: 'cwd_missing' });
  });

  it('takes the new secret from the next hello on, and no longer the old one', async () => {
    const old = magic;
    const next = Buffer.alloc(16, 0x3c);
    {
      await using client = await connect();
      await client.resume(identity, next);
      expect(await client.status()).toBeDefined();
    }
    await expect(GuestClient.connect(socket, old, { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'guest_unreachable',
    });
    magic = next;
    await using client = await resumed();
    expect(await client.status()).toBeDefined();
  });
});
