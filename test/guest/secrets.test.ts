// A secret reaches the commands that may have it and shows up nowhere else: no result, no file of the host.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { call, createRequest, exec, openTestEngine, type TestEngine } from '../support/engine.ts';
import { killNow } from '../support/kill.ts';

const value = 's3cr3t/"value"+\u00fc';
const fromFile = 'file-secret-000111';
let engine: TestEngine;
let folder = '';
let id = '';

beforeAll(async () => {
  engine = await openTestEngine();
  folder = mkdtempSync(join(tmpdir(), 'pyro-secret-'));
  writeFileSync(join(folder, 'token'), `${fromFile}\n`);
  const secrets = [
    { name: 'TOKEN', value },
    { name: 'FROM_FILE', file_path: join(folder, 'token') },
  ];
  const created = await engine.workspaces().create({ ...createRequest, secrets }, call());
  expect(created.secrets).toEqual([
    { name: 'TOKEN', source_kind: 'literal' },
    { name: 'FROM_FILE', source_kind: 'file' },
  ]);
  id = created.workspace_id;
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** Writes it into the project, and something harmless beside it. */
async function leak(): Promise<void> {
  await exec(engine, id, 'printf %s "$T" > leak; mkdir -p d; echo clean > d/f', { secret_env: { TOKEN: 'T' } });
}

const encodings = [
  'printf %s "$T"',
  'printf %s "$T" | base64',
  'printf %s "user:$T" | base64',
  'printf %s "$T" | od -An -tx1 | tr -d " \\n"',
];

it('is given by its name or another, and as a file in memory', async () => {
  const check = await exec(
    engine,
    id,
    '[ "$T" = "$EXPECTED" ] && [ "$(cat /run/pyro-secrets/TOKEN)" = "$T" ] && echo same',
    { secret_env: { TOKEN: 'T' }, env: { EXPECTED: value } },
  );
  expect(check.stdout).toBe('same\n');
  expect(
    (await exec(engine, id, 'printf %s "$FROM_FILE" | wc -c; echo "$T."', { secret_env: { FROM_FILE: 'FROM_FILE' } }))
      .stdout,
  ).toBe(`${fromFile.length}\n.\n`);
  expect((await exec(engine, id, 'stat -c %a /run/pyro-secrets/TOKEN; findmnt -no FSTYPE -T /run')).stdout).toBe(
    '600\ntmpfs\n',
  );
  await expect(exec(engine, id, 'true', { secret_env: { NONE: 'NONE' } })).rejects.toMatchObject({
    code: 'secret_unknown',
  });
});

it('is not in any result, in none of its encodings, wherever the output is cut', async () => {
  for (const command of encodings) {
    const { stdout } = await exec(engine, id, command, { secret_env: { TOKEN: 'T' } });
    expect(stdout).toMatch(/\*{6}/);
  }
  const slow = 'printf "%s" "$T" | while IFS= read -r -n1 c; do printf "%s" "$c"; sleep 0.02; done';
  expect((await exec(engine, id, `bash -c '${slow}'`, { secret_env: { TOKEN: 'T' } })).stdout).toMatch(/^\*+$/);
  const echoed = await exec(engine, id, `echo '${fromFile}' >&2`);
  expect(echoed.stderr).toMatch(/^\*+\n$/);
  expect(echoed.command).not.toContain(fromFile);
  await leak();
  const read = { path: 'leak', max_bytes: 1000 };
  expect((await engine.workspaces().fileRead({ ...read, workspace_id: id }, call())).content).toMatch(/^\*+$/);
});

it('keeps a diff and an export that would hold it from being given', async () => {
  await leak();
  const diff = {
    stat_only: false,
    base: 'baseline',
    system: false,
    include_ignored: false,
    max_file_bytes: 0,
    max_bytes: 9000,
    entry_limit: 9,
  };
  await expect(engine.workspaces().diff({ ...diff, workspace_id: id }, call())).rejects.toMatchObject({
    code: 'secret_in_output',
    details: { paths: ['leak'] },
  });
  expect((await engine.workspaces().diff({ ...diff, workspace_id: id, path: 'd' }, call())).patch).toContain('+clean');
  const outputPath = join(folder, 'out');
  const request = {
    path: '/workspace',
    output_path: outputPath,
    format: 'files',
    overwrite: false,
    include_git: false,
    include_ignored: false,
  } as const;
  await expect(engine.workspaces().export({ ...request, workspace_id: id }, call())).rejects.toMatchObject({
    code: 'secret_in_output',
  });
  await engine.workspaces().export({ ...request, workspace_id: id, path: 'd' }, call());
});

it('outlives the daemon and a restart of the guest, and stands in no file of the host', async () => {
  await engine.reopen();
  const guestPid = (): number | undefined => engine.engine().activity().guests[0]?.pid;
  // On a busy machine it is taken over after the daemon is up.
  await expect.poll(guestPid, { timeout: 60_000 }).toBeDefined();
  killNow(guestPid());
  const check = await exec(engine, id, 'sleep 0.3; cat /run/pyro-secrets/FROM_FILE | wc -c; echo "$T"', {
    secret_env: { TOKEN: 'T' },
  }).catch(
    async () =>
      await exec(engine, id, 'cat /run/pyro-secrets/FROM_FILE | wc -c; echo "$T"', { secret_env: { TOKEN: 'T' } }),
  );
  expect(check.stdout).toMatch(new RegExp(`^${fromFile.length}\\n\\*+\\n$`));
  const forms = [
    value,
    fromFile,
    JSON.stringify(value).slice(1, -1),
    Buffer.from(value).toString('base64'),
    Buffer.from(fromFile).toString('base64').slice(0, 20),
  ];
  for (const form of forms) {
    const found = spawnSync(
      'grep',
      ['-rlaF', '--exclude=*.qcow2', '--', form, engine.paths.state, engine.paths.runtime],
      { encoding: 'utf8' },
    );
    expect(found.stdout).toBe('');
  }
});
