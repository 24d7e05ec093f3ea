// The real hosts: pyro connects each, the host lists a healthy server, and what breaks is found and mended.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { commitAll, launcher, locateHost, makeHostHome, realHosts } from '../support/real-hosts.ts';

const resultSchema = z.object({
  changes: z.array(z.object({ action: z.string(), config_file: z.string(), method: z.string() })),
});
const reportSchema = z.object({
  ready: z.boolean(),
  hosts: z.array(
    z.object({ checks: z.array(z.object({ name: z.string(), status: z.string(), message: z.string() })) }),
  ),
});

describe.each(realHosts)('$host', ({ program, host, connectArguments, listArguments, healthy, modelConfig }) => {
  const found = locateHost(program);
  const reason = 'reason' in found ? found.reason : '';

  it.skipIf(reason !== '')(`connects, is healthy and is mended after each breakage ${reason}`, async () => {
    using home = makeHostHome('folder' in found ? found.folder : '');
    home.write('project/README', 'a project\n');
    commitAll(home.project);
    const config = modelConfig('http://127.0.0.1:9');
    if (config !== undefined) home.write(config.file, config.text);

    const connected = await home.run(launcher, [...connectArguments, '--json']);
    expect(connected, connected.stdout + connected.stderr).toMatchObject({ exitCode: 0 });
    const list = await home.run(program, listArguments);
    expect(stripVTControlCharacters(list.stdout + list.stderr)).toMatch(healthy);

    const again = await home.run(launcher, [...connectArguments, '--json']);
    expect(again.exitCode).toBe(0);
    expect(again.stdout).toContain('"unchanged"');

    const doctor = async (): Promise<string[]> => {
      const { stdout } = await home.run(launcher, ['host', 'doctor', host, '--json']);
      const report = reportSchema.parse(JSON.parse(stdout));
      return report.hosts.flatMap(({ checks }) =>
        checks.filter(({ status }) => status === 'fail').map(({ name }) => name),
      );
    };
    expect(await doctor()).toEqual([]);

    const first = await home.run(launcher, ['host', 'repair', host, '--json']);
    const path = resultSchema.parse(JSON.parse(first.stdout)).changes[0]?.config_file ?? '';
    const sound = readFileSync(path, 'utf8');
    const breakages = {
      path: sound.replaceAll(launcher, '/gone/pyro'),
      flags: sound.replace(/"serve"/, '"serve", "--vm-backend", "firecracker"'),
      syntax:
        host === 'codex'
          ? sound.replace(/^args = .*$/m, 'args = ')
          : sound.replace(/("command":[^\n]*),\n/, '$1\n').replace(/\],\n(\s*"(?:enabled|timeout|env)")/, ']\n$1'),
    };
    for (const [name, text] of Object.entries(breakages)) {
      expect(text, name).not.toBe(sound);
      home.write(path.slice(home.home.length + 1), text);
      expect(await doctor(), name).not.toEqual([]);
      const repaired = await home.run(launcher, ['host', 'repair', host, ...(name === 'syntax' ? ['--force'] : [])]);
      expect(repaired, name + repaired.stderr).toMatchObject({ exitCode: 0 });
      expect(await doctor(), name).toEqual([]);
    }
    const mended = await home.run(program, listArguments);
    expect(stripVTControlCharacters(mended.stdout + mended.stderr)).toMatch(healthy);
    if (config !== undefined) expect(readFileSync(join(home.home, config.file), 'utf8')).toContain('mine');

    const disconnected = await home.run(launcher, ['host', 'disconnect', host, '--json']);
    expect(disconnected, disconnected.stderr).toMatchObject({ exitCode: 0 });
    expect(disconnected.stdout).toContain('"removed"');
    expect(readFileSync(path, 'utf8')).not.toContain(launcher);
    const gone = await home.run(program, listArguments);
    expect(stripVTControlCharacters(gone.stdout + gone.stderr)).not.toMatch(healthy);
    if (config !== undefined && host === 'codex')
      expect(readFileSync(join(home.home, config.file), 'utf8')).toBe(config.text);
  });
});
