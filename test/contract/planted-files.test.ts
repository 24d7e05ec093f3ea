// The daemon's own places with something planted in them: a front is told what stands where, and never waits for it.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { type FakeHome, openHome } from '../support/fake.ts';

let home: FakeHome;
beforeEach(() => {
  home = openHome();
});
afterEach(async () => {
  execFileSync('rm', ['-rf', home.folder]);
  await home[Symbol.asyncDispose]();
});

const answerSchema = z.union([
  z.object({ text: z.string() }),
  z.object({ error: z.looseObject({ code: z.string(), hint: z.string() }) }),
]);

it.each([
  ['run', 'a pipe'],
  ['run', 'a folder of others'],
  ['run/daemon.sock', 'a folder'],
  ['run/daemon.sock', 'a pipe'],
  ['state/daemon.lock', 'a pipe'],
  ['state/daemon-start.lock', 'a folder'],
  ['state/daemon.json', 'a pipe'],
  ['state/logs/daemon.log', 'a pipe'],
  ['state/logs', 'a pipe'],
  ['state', 'a pipe'],
])(
  '%s that is %s is told, or does no harm',
  async (place, kind) => {
    const path = join(home.folder, place);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    if (kind === 'a pipe') execFileSync('mkfifo', [path]);
    else mkdirSync(join(path, 'x'), { recursive: true });
    const answer = answerSchema.parse(await home.run(['call', 'fake.echo', '{"text":"hi"}']));
    if ('error' in answer)
      expect(['path_unusable', 'path_not_writable', 'daemon_start_failed']).toContain(answer.error.code);
  },
  60_000,
);
