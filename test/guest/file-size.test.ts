// A daemon that was started where files may not grow beyond a size: a guest whose disk reaches it is paused, and not killed.
import { spawn } from 'node:child_process';
import { afterAll, expect, it } from 'vitest';
import { z } from 'zod';
import { nothing, openRealHome, outputOf } from '../support/real-home.ts';

/** More than any file of the cache, less than what the guest will write, `bytes` */
const mostBytes = 300 * 2 ** 20;
const home = openRealHome();
const createdSchema = z.object({ workspace_id: z.string() });
const execSchema = z.object({ stdout: z.string() });
const statusSchema = z.object({ state: z.string(), state_reason: z.string().nullable() });

async function limited(...args: readonly string[]): Promise<unknown> {
  const line = [`--fsize=${mostBytes}`, home.executable, ...args, '--json'];
  const child = spawn('prlimit', line, { env: home.env, stdio: ['ignore', 'pipe', 'pipe'] });
  return JSON.parse(await outputOf(child));
}

afterAll(async () => {
  expect(await home.close()).toEqual(nothing);
});

it('pauses the guest with the reason, and what was synced is there after a start without the limit', async () => {
  const created = await limited('workspace', 'create', 'debian:12', '--empty', '--mem-mib', '256');
  const { workspace_id: id } = createdSchema.parse(created);
  const exec = async (command: string): Promise<string> => {
    const line = ['workspace', 'exec', id, '--timeout-seconds', '90', '--json', '--', 'sh', '-c', command];
    return execSchema.parse(await home.json(z.unknown(), ...line)).stdout;
  };
  await exec('echo kept > kept; sync');
  const told = await exec('head -c 400000000 /dev/urandom > big; sync').catch((error: unknown) => String(error));
  expect(told).toContain('file_size_limited');
  expect(told).toContain('ulimit -f');
  expect(await home.json(statusSchema, 'workspace', 'status', id, '--json')).toEqual({
    state: 'paused',
    state_reason: 'limit of file size',
  });
  await home.json(z.unknown(), 'daemon', 'stop', '--json');
  await home.json(z.unknown(), 'workspace', 'stop', id, '--json');
  await home.json(z.unknown(), 'workspace', 'start', id, '--json');
  expect(await exec('cat kept; rm -f big; head -c 350000000 /dev/urandom > big; sync; wc -c < big')).toBe(
    'kept\n350000000\n',
  );
});
