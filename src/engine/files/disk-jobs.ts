// What is written of a disk, outside the daemon.
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { guestFilesOf, type Job } from '../jobs/job.ts';
import { SecretWatch } from './secret-watch.ts';

/** A tree of a guest as an archive, with owners and times; nothing is written when a secret is in it. */
export const diskTreeJob: Job<{ readonly path: string; readonly draft: string }, null> = {
  name: 'disk-tree',
  run: async ({ path, draft }, { guests, secrets, signal }) => {
    const files = guestFilesOf({ guests });
    if (!secrets.isEmpty) {
      const tree = await new SecretWatch(secrets, '').files(files).pack({ path }, { signal });
      for await (const _ of tree) signal.throwIfAborted();
    }
    const tree = await files.pack({ path }, { signal });
    await pipeline(tree, createWriteStream(draft, { flags: 'wx', mode: 0o600 }), { signal });
    return null;
  },
};
