// The summary of a workspace over a stand-in guest: what happened since the last reset, as data and as Markdown.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { patchApplyInput, summaryInput } from '../../../../src/contract/changes.ts';
import { call, exec } from '../../../support/engine.ts';
import { git } from '../../../support/host-tree.ts';
import { killNow } from '../../../support/kill.ts';
import { StandInHouse } from '../../../support/stand-in-house.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
const value = 'a-secret-of-the-summary';
let house: StandInHouse;

beforeAll(async () => {
  if (obstacle !== undefined) return;
  house = await StandInHouse.open({ name: 'the one', secrets: [{ name: 'TOKEN', value }] }, (folder) => {
    mkdirSync(folder);
    git(folder, 'init', '-q');
    writeFileSync(`${folder}/.gitignore`, '*.log\n');
    writeFileSync(`${folder}/old`, 'some lines\nthat do\nnot change\n');
  });
});
afterAll(async () => await house?.[Symbol.asyncDispose]());

const summary = () => house.all.summary(summaryInput.parse({ workspace_id: house.id }), call());

describe.skipIf(obstacle !== undefined)('a summary', { shuffle: false }, () => {
  it('of a fresh workspace has nothing', async () => {
    const result = await summary();
    expect(result).toMatchObject({
      outcome: 'no commands, no files changed',
      command_count: 0,
      file_count: 0,
      resets: 0,
    });
    expect(result.markdown).toBe(
      `## Workspace the one (${house.id})\n\nNo commands, no files changed.\n\n### Files: no files changed\n\n### Commands: 0, 0 failed\n`,
    );
  });

  it('tells of commands, files, snapshots and exports, and is fit for Markdown', async () => {
    await exec(house.engine, house.id, 'printf "1\\n2\\n" > plain; printf "\\0" > bin; mv old moved; echo x > x.log');
    await exec(house.engine, house.id, "touch 'tick`s|pipe'; head -c 2M /dev/zero > large");
    await exec(house.engine, house.id, 'false | false # a | b ``');
    await house.all.snapshotCreate({ workspace_id: house.id, snapshot_name: 'one' }, call());
    await house.export({ path: 'plain', output_path: house.on('out') });
    const patch = '*** Begin Patch\n*** Add File: patched\n+x\n*** End Patch';
    await house.all.patchApply(patchApplyInput.parse({ workspace_id: house.id, patch }), call());
    const result = await summary();
    expect(result).toMatchObject({
      outcome: 'the last command ended with 1, 6 files changed',
      command_count: 3,
      failed_count: 1,
      file_count: 6,
      ignored: { files: 1 },
      snapshots: ['one'],
      exports: [house.on('out')],
    });
    expect(result.commands.map(({ exit_code: code }) => code)).toEqual([0, 0, 1]);
    const { markdown } = result;
    expect(markdown).toContain('- added `plain` (+2 -0)');
    expect(markdown).toContain('- added `bin` (binary)');
    expect(markdown).toContain('- renamed `old` → `moved` (+0 -0)');
    expect(markdown).toContain('- added `` tick`s|pipe `` (');
    expect(markdown).toMatch(/- added `large` \(2(\.0)? MiB\)/);
    expect(markdown).toMatch(/\| 3 \| 1 \| \d+\.\d s \| ``` false \\\| false # a \\\| b `` ``` \|/);
    expect(markdown).toContain("Ignored by the project's rules: ");
    expect(markdown).toContain('### Snapshots\n\n- `one`');
    expect(markdown).toContain(`### Exports\n\n- \`${house.on('out')}\``);
  });

  it('shows no secret, in names and command lines neither', async () => {
    await exec(house.engine, house.id, `touch 'is-${value}'; echo ${value}`);
    const result = await summary();
    expect(JSON.stringify(result)).not.toContain(value);
    expect(result.files.some(({ path }) => path.startsWith('is-***'))).toBe(true);
    await house.sh(`rm is-*`);
  });

  it('tells of a command that runs, and of one that lost its guest', async () => {
    const { sequence } = await exec(house.engine, house.id, 'sleep 1000', { wait_seconds: 0 });
    expect((await summary()).outcome).toContain(`command ${sequence} is still running`);
    killNow(house.engine.engine().activity().guests[0]?.pid);
    await until(() => house.engine.engine().activity().runningGuests === 0);
    // That it is lost is noted a moment after its guest is gone.
    await until(async () => (await summary()).outcome.includes('the last command ended with its guest'));
    expect((await summary()).markdown).toMatch(new RegExp(`\\| ${sequence} \\| – \\|`));
  });

  it('of more commands and files than are shown says how many more there are', async () => {
    for (let index = 0; index < 40; index++) await house.sh(`touch f${index} g${index}`);
    const result = await summary();
    expect(result.commands).toHaveLength(30);
    expect(result.command_count).toBeGreaterThanOrEqual(45);
    expect(result.files).toHaveLength(50);
    expect(result.markdown).toMatch(/- … and \d+ more\n/);
  });

  it('tells of each target that was refused once, with how often', async () => {
    const common = { time: new Date().toISOString(), port: 443, address: null, rule: 'default', process: null };
    const lines = ['a.test', 'b.test', 'a.test', 'c.test'].map((name, index) => ({
      ...common,
      sequence: index + 1,
      name,
      verdict: name === 'c.test' ? 'allowed' : 'denied',
      reason: `no rule for ${name}`,
    }));
    const log = join(house.engine.paths.state, 'workspaces', house.id, 'network.jsonl');
    writeFileSync(log, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const { denied_connections: denied, markdown } = await summary();
    expect(denied.map(({ target, count }) => `${target} ${count}`)).toEqual(['b.test:443 1', 'a.test:443 2']);
    expect(markdown).toContain('### Network: 3 connections refused\n\n- `b.test:443`: `no rule for b.test`');
    expect(markdown).toContain('- `a.test:443` × 2: ');
  });

  it('begins anew with a reset', async () => {
    await house.all.reset({ workspace_id: house.id, snapshot: 'baseline' }, call());
    expect(await summary()).toMatchObject({ command_count: 0, file_count: 0, resets: 1, exports: [] });
    await house.sh('true');
    expect(await summary()).toMatchObject({ outcome: 'the last command succeeded, no files changed' });
  });
});
