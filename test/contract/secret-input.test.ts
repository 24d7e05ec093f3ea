// Secrets at the command line: what is refused before anything is started, and without showing a value.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pyro } from '../support/pyro.ts';
import { atTerminal } from '../support/terminal.ts';

const executable = join(new URL('../..', import.meta.url).pathname, 'bin', 'pyro');
const hasScript = spawnSync('script', ['--version']).status === 0;

async function create(args: readonly string[], input = ''): Promise<{ exitCode: number | null; text: string }> {
  const { exitCode, stdout, stderr } = await pyro(['workspace', 'create', 'debian:12', ...args], { input });
  return { exitCode, text: `${stdout.toString('utf8')}${stderr}` };
}

describe('a secret at the command line', () => {
  it('is not taken from its words, which are not shown again either', async () => {
    for (const word of ['TOKEN=hunter2hunter2', 'hunter2hunter2']) {
      const { exitCode, text } = await create(['--secret', word]);
      expect(exitCode).toBe(2);
      expect(text).toContain('--secret takes only NAME=-');
      expect(text).toContain('pyro workspace create --secret NAME=-');
      expect(text).not.toContain('hunter2');
    }
  });

  it('needs a value on standard input, and only one can have it', async () => {
    expect(await create(['--secret', 'TOKEN=-'])).toMatchObject({
      exitCode: 2,
      text: expect.stringContaining('standard input is empty: no value for TOKEN'),
    });
    expect(await create(['--secret', 'TOKEN=-'], '\n')).toMatchObject({ exitCode: 2 });
    expect(await create(['--secret', 'A=-', '--secret', 'B=-'], 'value')).toMatchObject({
      exitCode: 2,
      text: expect.stringContaining('only one --secret'),
    });
    const json = await create(['--secret', 'TOKEN=-', '--json']);
    expect(JSON.parse(json.text)).toMatchObject({ error: { code: 'usage', hint: expect.stringContaining('| pyro') } });
  });

  it.skipIf(!hasScript)('is not asked for at a terminal, which would show it', () => {
    const line = `${executable} workspace create debian:12 --secret TOKEN=-`;
    expect(atTerminal(line).shown).toContain('standard input is a terminal');
  });
});
