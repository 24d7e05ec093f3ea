// What is measured from beside the soak's own process: it plays twelve clients, and is held up by them.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { z } from 'zod';
import type { ServerCommand } from '../support/mcp.ts';
import { type Journal, listProbe } from './journal.ts';

const toldSchema = z.object({ ms: z.number(), code: z.string().optional(), words: z.string().optional() });

/** Lists all along in a process of its own, into this journal; ends when it is disposed. */
export function listBeside(server: ServerCommand, journal: Journal): AsyncDisposable {
  const lister = fork(join(import.meta.dirname, 'lister.ts'));
  const ended = new Promise<void>((resolve) => lister.once('exit', () => resolve()));
  lister.on('message', (message) => {
    const { ms, code, words = '' } = toldSchema.parse(message);
    const error = code === undefined ? {} : { code, words };
    journal.note({ atMs: journal.nowMs() - ms, client: 'lister', isHostile: false, name: listProbe, ms, ...error });
  });
  lister.send(server);
  return {
    [Symbol.asyncDispose]: async () => {
      if (lister.connected) lister.disconnect();
      await ended;
    },
  };
}
