// The audit log over a stand-in guest: all that crossed the boundary is in it, and what was changed in it shows.
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditInput } from '../../../../src/contract/audit.ts';
import { patchApplyInput } from '../../../../src/contract/changes.ts';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { StandInHouse } from '../../../support/stand-in-house.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';

const obstacle = standInObstacle();
const value = 'a-secret-of-the-audit';
let house: StandInHouse;

beforeAll(async () => {
  if (obstacle !== undefined) return;
  const seed = (folder: string): void => {
    mkdirSync(folder);
    writeFileSync(`${folder}/a.txt`, 'a\n');
  };
  house = await StandInHouse.open({ secrets: [{ name: 'TOKEN', value }] }, seed);
});
afterAll(async () => await house?.[Symbol.asyncDispose]());

const audit = (id = house.id, given = {}) => house.all.audit(auditInput.parse({ workspace_id: id, ...given }));

describe.skipIf(obstacle !== undefined)('the audit log of a workspace', () => {
  it('has what went in and out, in order, with its size, and secrets by name alone', async () => {
    await exec(house.engine, house.id, 'true', { secret_env: { TOKEN: 'TOKEN' } });
    const patch = '--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-a\n+b\n';
    await house.all.patchApply(patchApplyInput.parse({ workspace_id: house.id, patch }), call());
    house.on('more/x', 'xx');
    await house.push({ source_path: house.on('more'), dest: '/workspace/more' });
    await house.export({ path: 'more', output_path: house.on(`out-${value}`) });
    await house.apply();
    // A name may try to make a row of its own.
    await house.export({ path: 'more', output_path: house.on('two\nrows\u001b[2J') });
    const { entries, intact } = await audit();
    expect(intact).toBe(true);
    expect(entries.map(({ kind, direction }) => `${kind} ${direction}`)).toEqual([
      'seed in',
      'secret in',
      'secret in',
      'patch in',
      'sync in',
      'export out',
      'apply out',
      'export out',
    ]);
    expect(entries.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(entries[0]).toMatchObject({ files: 1, what: `explicit: ${house.on('seed')}` });
    expect(entries[2]).toMatchObject({ what: expect.stringMatching(/^TOKEN, to command \d+$/) });
    expect(entries[4]).toMatchObject({ files: 1, bytes: 2 });
    expect(readFileSync((await audit()).log, 'utf8')).not.toContain(value);
    expect(entries.at(-1)?.what).toContain('two\\nrows\\x1b[2J');
    expect((await audit(house.id, { kind: 'export', limit: 1 })).next_cursor).toBe(6);
    expect((await audit(house.id, { kind: 'export', cursor: 6 })).entries).toHaveLength(1);
  });

  it('is there after the workspace is not, goes on in the next daemon, and a line cut short takes nothing with it', async () => {
    const { workspace_id: id } = await house.all.create({ ...createRequest, seed_path: house.on('seed') }, call());
    appendFileSync((await audit(id)).log, '{"sequence":2,"at":1');
    await house.engine.reopen();
    const output = { workspace_id: id, path: '.', output_path: house.on('again'), format: 'files' as const };
    await house.all.export({ ...output, overwrite: false, include_git: false, include_ignored: false }, call());
    await house.all.delete({ workspace_id: id, dry_run: false, force: true }, call());
    const { entries, intact } = await audit(id);
    expect(entries.map(({ kind }) => kind)).toEqual(['seed', 'export']);
    expect(intact).toBe(true);
    await expect(audit('ffffffffffff')).rejects.toMatchObject({ code: 'workspace_unknown' });
    await expect(audit('../../etc')).rejects.toMatchObject({ code: 'workspace_unknown' });
  });

  it.each([
    ['changed', (lines: string[]) => lines.map((line, index) => (index === 1 ? line.replace('TOKEN', 'OTHER') : line))],
    ['taken away', (lines: string[]) => lines.filter((_, index) => index !== 1)],
    ['put in between', (lines: string[]) => [...lines.slice(0, 2), lines[1] ?? '', ...lines.slice(2)]],
  ])('shows where a line was %s', async (_, change) => {
    const { log } = await audit();
    const whole = readFileSync(log, 'utf8');
    writeFileSync(log, `${change(whole.trimEnd().split('\n')).join('\n')}\n`);
    const { intact, broken_at: at } = await audit();
    expect([intact, at]).toEqual([false, expect.any(Number)]);
    writeFileSync(log, whole);
    expect((await audit()).intact).toBe(true);
  });
});
