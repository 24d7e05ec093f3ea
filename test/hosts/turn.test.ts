// A whole turn in each real host: its model asks for the tools one by one, and the patch comes home.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { commitAll, launcher, locateHost, makeHostHome, realHosts } from '../support/real-hosts.ts';
import { projectFiles, reproTurn } from '../support/repro-turn.ts';
import { startModel } from '../support/scripted-model.ts';

const pyroHome = process.env['PYRO_HOME'];
/** Characters of all results of the turn as the model saw them before they were made lean, measured with the same hosts */
const before: Readonly<Record<string, number>> = { 'claude-code': 3364, codex: 3634, opencode: 972 };
/** At least 40 % fewer */
const mostOfBefore = 0.6;
const noGuests = pyroHome === undefined ? 'guests cannot run here: pyro doctor says why' : '';
const variables: Record<string, string> = pyroHome === undefined ? {} : { PYRO_HOME: pyroHome };

afterAll(async () => {
  if (noGuests !== '') return;
  using home = makeHostHome('', variables);
  await home.run(launcher, ['daemon', 'stop']);
});

describe.each(realHosts)('$host', (real) => {
  const found = locateHost(real.program);
  const reason = 'reason' in found ? found.reason : noGuests;

  it.skipIf(reason !== '')(`reproduces and mends a fault in a workspace ${reason}`, async () => {
    using home = makeHostHome('folder' in found ? found.folder : '', variables);
    for (const [name, text] of Object.entries(projectFiles)) home.write(join('project', name), text);
    commitAll(home.project);
    const steps = reproTurn(home.project);
    await using model = await startModel(steps, real.naming);
    const config = real.modelConfig(model.url);
    if (config !== undefined) home.write(config.file, config.text);
    const connected = await home.run(launcher, [...real.connectArguments]);
    expect(connected, connected.stderr).toMatchObject({ exitCode: 0 });

    const turn = await home.run(real.program, real.turnArguments, real.modelVariables(model.url));
    const told = `${turn.stdout}\n${turn.stderr}`;
    expect(turn.exitCode, told).toBe(0);
    expect(model.results, told).toHaveLength(steps.length);
    const sizes = model.results.map((result) => result.length);
    const sum = sizes.reduce((total, size) => total + size, 0);
    process.stdout.write(`${real.host}: the model saw ${sum} characters of results: ${sizes.join(' ')}\n`);
    expect(sum).toBeLessThanOrEqual(mostOfBefore * (before[real.host] ?? 0));
    steps.forEach(({ tool, shows }, index) => {
      expect(model.results[index], `${tool} (step ${index + 1})`).toMatch(shows);
    });
    // A host may hold back some tools until its model looks for them; those to begin with it must show.
    for (const tool of ['workspace_create', 'workspace_exec']) expect(model.offered.join(' ')).toContain(tool);

    execFileSync('git', ['apply', 'fix.patch'], { cwd: home.project });
    expect(readFileSync(join(home.project, 'greet.sh'), 'utf8')).toBe('echo "hello $1"\n');
    const list = await home.run(launcher, ['workspace', 'list', '--json']);
    expect(JSON.parse(list.stdout)).toMatchObject({ workspaces: [] });
  });
});
