// config.json as people keep it: linked from elsewhere, with a byte order mark, or none of ours to replace.
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readSettings, settingsPath, writeSettings } from '../../../src/system/settings-file.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'pyro-settings-'));
  vi.stubEnv('PYRO_HOME', home);
  mkdirSync(dirname(settingsPath()), { recursive: true });
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

describe('config.json', () => {
  it('is written where its link leads, also when nothing is there yet, and the link stays', async () => {
    const target = join(home, 'dotfiles.json');
    symlinkSync(target, settingsPath());
    for (const value of [1, 2]) {
      await writeSettings({ value });
      expect(lstatSync(settingsPath()).isSymbolicLink()).toBe(true);
      expect(JSON.parse(readFileSync(target, 'utf8'))).toEqual({ value });
      expect(await readSettings()).toEqual({ value });
    }
  });

  it('may begin with a byte order mark', async () => {
    writeFileSync(settingsPath(), '\uFEFF{"value": 1}\r\n');
    expect(await readSettings()).toEqual({ value: 1 });
  });

  it('is not put in the place of a folder', async () => {
    mkdirSync(settingsPath());
    await expect(writeSettings({})).rejects.toMatchObject({
      code: 'path_not_writable',
      message: expect.stringContaining('it is not a file'),
    });
    await expect(readSettings()).rejects.toMatchObject({ code: 'usage' });
  });
});
