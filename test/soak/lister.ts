// A client that lists, all along, and does nothing else. A process of its own: the one that plays all others is held up by
// what it does itself, for a second at times, which would count against the list.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Journal, listProbe } from './journal.ts';
import { ToolClient } from './tool-client.ts';

const pauseMs = 2000;
const serverSchema = z.object({
  command: z.string(),
  args: z.array(z.string()),
  env: z.record(z.string(), z.string()),
  cwd: z.string(),
});

async function list(server: z.infer<typeof serverSchema>): Promise<void> {
  const journal = new Journal();
  await using client = await ToolClient.open('lister', false, server, journal);
  while (process.connected) {
    // One that fails is written down as well.
    await client.call('workspace_list', {}, { name: listProbe }).catch(() => undefined);
    for (const { ms, code, words } of journal.calls.splice(0)) process.send?.({ ms, code, words });
    await sleep(pauseMs);
  }
}

process.once('message', (server) => {
  list(serverSchema.parse(server)).then(
    () => process.exit(),
    (error: unknown) => process.send?.({ ms: 0, code: 'unanswered', words: String(error) }, () => process.exit(1)),
  );
});
