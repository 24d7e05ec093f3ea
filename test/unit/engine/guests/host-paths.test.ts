// Paths of the host that a server may not use: what is proposed in place of them.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { permitHostPath } from '../../../../src/engine/guests/host-paths.ts';
import { isPyroError } from '../../../../src/shared/errors.ts';

async function hintOf(path: string): Promise<string> {
  try {
    await permitHostPath(path, { folders: ['/proc/self/task'] });
  } catch (error) {
    if (isPyroError(error, 'path_refused')) return error.hint ?? '';
    throw error;
  }
  throw new Error(`${path} was permitted`);
}

describe('the hint of a refused path', () => {
  it.each(['/', '/x', '/etc/passwd', homedir(), join(homedir(), 'notes.txt')])(
    'allows nothing broad for %s',
    async (path) => {
      const hint = await hintOf(path);
      expect(hint).toContain('choose a path below');
      expect(hint).not.toContain('--allow-path');
    },
  );

  it('names the folder of a path that somebody may want to share', async () => {
    expect(await hintOf('/opt/data/sets/a.csv')).toMatch(/--allow-path \/opt\/data\/sets$/);
  });
});
