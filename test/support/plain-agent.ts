// The guest agent as a plain process on a socket, with the three folders of an overlay made by hand.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { GuestFiles } from '../../src/agent/file-types.ts';
import { GuestClient } from '../../src/agent/guest-client.ts';
import { createGuestFiles } from '../../src/agent/guest-files.ts';
import { untilListening } from './until.ts';

export interface PlainAgent {
  readonly folder: string;
  readonly workspace: string;
  readonly upper: string;
  readonly lower: string;
  readonly client: GuestClient;
  readonly files: GuestFiles;
  /** Empties the three folders, which stay: the agent holds them open */
  readonly clear: () => void;
  /** Another session, which ends the one before */
  readonly reconnect: () => Promise<{ readonly client: GuestClient } & AsyncDisposable>;
  readonly stop: () => Promise<void>;
}

export async function startPlainAgent(): Promise<PlainAgent> {
  const folder = mkdtempSync(join(tmpdir(), 'pyro-files-'));
  const [socket, binary] = [join(folder, 's'), join(folder, 'agent')];
  const [workspace, upper, lower] = [join(folder, 'workspace'), join(folder, 'upper'), join(folder, 'lower')];
  for (const path of [workspace, upper, lower]) mkdirSync(path);
  execFileSync('go', ['build', '-o', binary, './cmd/agent'], { cwd: new URL('../../guest', import.meta.url).pathname });
  const magic = Buffer.alloc(16, 0x5f);
  const layers = ['--workspace', workspace, '--upper', upper, '--lower', lower];
  const agent = spawn(binary, ['--socket', socket, '--magic', magic.toString('hex'), ...layers], { stdio: 'ignore' });
  await untilListening(socket);
  const connect = async (): Promise<GuestClient> => {
    const client = await GuestClient.connect(socket, magic, { timeoutMs: 10_000 });
    await client.resume({ hostname: 'test', machineId: 'a'.repeat(32) }, undefined);
    return client;
  };
  const client = await connect();
  return {
    folder,
    workspace,
    upper,
    lower,
    client,
    files: createGuestFiles(client),
    clear: () => {
      for (const path of [workspace, upper, lower]) execFileSync('find', [path, '-mindepth', '1', '-delete']);
    },
    reconnect: async () => {
      const other = await connect();
      return { client: other, [Symbol.asyncDispose]: () => other[Symbol.asyncDispose]() };
    },
    stop: async () => {
      await client[Symbol.asyncDispose]();
      const ended = new Promise((resolve) => agent.once('exit', resolve));
      agent.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Makes files, and the folders they are in. */
export function plant(root: string, entries: Readonly<Record<string, string | Buffer>>): void {
  for (const [name, content] of Object.entries(entries)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
}
