// A cache that was copied or moved: its templates name the disks of where it was, and count as none.
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { findTemplate, templateFolder } from '../../../src/machine/template.ts';
import { standingOn } from '../../support/disk-header.ts';

const folder = mkdtempSync(join(tmpdir(), 'pyro-moved-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('is found by any name of its folder, and not where it was brought', async () => {
  const cache = join(folder, 'cache');
  const template = templateFolder(cache, 'abc');
  mkdirSync(template, { recursive: true });
  for (const name of ['ram', 'state', 'disk.qcow2']) writeFileSync(join(template, name), '');
  writeFileSync(join(template, 'overlay.qcow2'), standingOn(join(template, 'disk.qcow2')));
  const record = {
    version: 1,
    key: 'abc',
    magic: '0'.repeat(32),
    environment_digest: 'd',
    created_at: '',
    build_ms: 1,
  };
  writeFileSync(join(template, 'template.json'), JSON.stringify({ ...record, sha256: {} }));
  expect(await findTemplate(cache, 'abc')).toMatchObject({ key: 'abc' });
  symlinkSync(cache, join(folder, 'link'));
  expect(await findTemplate(join(folder, 'link'), 'abc')).toMatchObject({ key: 'abc' });
  renameSync(cache, join(folder, 'elsewhere'));
  expect(await findTemplate(join(folder, 'elsewhere'), 'abc')).toBeUndefined();
});
