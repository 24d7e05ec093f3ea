// Tests of the keeper of a record: what is written down beside the work never takes the place of its result.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { RecordKeeper } from '../../../../src/engine/workspace/record-keeper.ts';
import { type WorkspaceFiles, workspaceFiles } from '../../../../src/engine/workspace/workspace-record.ts';
import { Reserve } from '../../../../src/system/reserve.ts';
import { plainRecord } from '../../../support/silent-guest.ts';

let files: WorkspaceFiles;
let keeper: RecordKeeper;
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'pyro-keeper-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  files = workspaceFiles(folder);
  keeper = new RecordKeeper(files, plainRecord('0123456789ab'), new Reserve(folder));
  // No file can take the place of a folder.
  mkdirSync(files.record);
});

function onDisk(): unknown {
  return JSON.parse(readFileSync(files.record, 'utf8'));
}

describe('a record that cannot be written', () => {
  it('costs nobody the result of what was done: activity and notes hold, and are written later', async () => {
    await keeper.touch();
    await keeper.touch({ command_count: 7 });
    expect(keeper.record).toMatchObject({ command_count: 7 });
    expect(keeper.record.last_activity_at).toBeGreaterThan(1);
    rmSync(files.record, { recursive: true });
    await keeper.flush();
    expect(onDisk()).toMatchObject({ command_count: 7, last_activity_at: keeper.record.last_activity_at });
  });

  it('is told to whoever changes what must last', async () => {
    await expect(keeper.update({ state: 'stopped' })).rejects.toThrow();
  });
});

describe('a record that is let go of', () => {
  it('is written to its end, and by nobody from then on', async () => {
    rmSync(files.record, { recursive: true });
    void keeper.touch({ command_count: 7 });
    await keeper.letGo();
    expect(onDisk()).toMatchObject({ command_count: 7 });
    expect(readdirSync(files.folder)).toEqual(['workspace.json']);
    await keeper.touch({ command_count: 8 });
    await keeper.update({ name: 'late' });
    expect(onDisk()).toMatchObject({ command_count: 7, name: plainRecord('0123456789ab').name });
  });
});
