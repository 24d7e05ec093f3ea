// The secrets of a workspace: given to those who may have them, and in nothing that is shown, recorded or kept on a disk.
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { exportInput } from '../../../../src/contract/changes.ts';
import { execSignalInput, logsInput } from '../../../../src/contract/commands.ts';
import { fileReadInput } from '../../../../src/contract/files.ts';
import { serviceStartInput } from '../../../../src/contract/services.ts';
import { shellOpenInput } from '../../../../src/contract/shells.ts';
import { createInput, updateInput } from '../../../../src/contract/workspaces.ts';
import { isPyroError, reportError } from '../../../../src/shared/errors.ts';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { killNow } from '../../../support/kill.ts';
import { filesWith, formsIn, formsOf } from '../../../support/secret-search.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
const value = 's3cr3t/"value"+\u00fc';
const fromFile = 'file-secret-000111';
const forms = [...formsOf(value), ...formsOf(fromFile)];
let engine: StandInEngine;
let id = '';

beforeAll(async () => {
  if (obstacle === undefined) engine = await openStandInEngine();
});
beforeEach(async () => {
  if (obstacle !== undefined) return;
  const folder = join(engine.paths.state, '..');
  writeFileSync(join(folder, 'token'), `${fromFile}\n`);
  const secrets = [
    { name: 'TOKEN', value },
    { name: 'FROM_FILE', file_path: join(folder, 'token') },
  ];
  const made = await engine.workspaces().create(createInput.parse({ ...createRequest, secrets }), call());
  rmSync(join(folder, 'token'));
  id = made.workspace_id;
});
afterAll(async () => await engine?.[Symbol.asyncDispose]());

const test = it.skipIf(obstacle !== undefined);

/** The report of a call that must fail, as a user gets it. */
async function reportOf(work: Promise<unknown>) {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isPyroError(error)) throw new Error(`this is no failure that a user is told of: ${error}`);
  return reportError(error);
}

const asVariable = { secret_env: { TOKEN: 'T' } };

test('a command gets it by a name of its choice, and a file in memory, also after another daemon, a reset and a crash', async () => {
  const check = async (): Promise<void> => {
    const { exit_code: code } = await exec(
      engine,
      id,
      '[ "$T" = "$EXPECTED" ] && [ "$(cat /run/pyro-secrets/TOKEN)" = "$T" ] && [ "$(stat -c %a /run/pyro-secrets/TOKEN)" = 600 ]',
      { ...asVariable, env: { EXPECTED: value } },
    );
    expect(code).toBe(0);
    expect((await exec(engine, id, 'echo ".$T.$TOKEN."')).stdout).toBe('...\n');
  };
  await check();
  await engine.reopen();
  await check();
  await engine.workspaces().reset({ workspace_id: id, snapshot: 'baseline' }, call());
  await check();
  const own = () =>
    engine
      .engine()
      .activity()
      .guests.find((guest) => guest.workspace_id === id);
  killNow(own()?.pid);
  await until(() => own() === undefined);
  await check();
});

test('no result and no record has it, in none of its forms', async () => {
  const shown: unknown[] = [];
  for (const command of [
    'printf %s "$T"',
    'printf %s "$T" | base64',
    `echo '${fromFile}' >&2; cat /run/pyro-secrets/*`,
  ]) {
    const result = await exec(engine, id, command, { ...asVariable, stdin: value });
    expect(result.stdout).toMatch(/\*{6}/);
    shown.push(result);
  }
  const left = await exec(engine, id, 'printf "%s\\n" "$T"; exec sleep 1000', {
    ...asVariable,
    wait_seconds: 0,
    cwd: '/',
  });
  await until(async () => {
    const { entries } = await engine
      .workspaces()
      .logs(logsInput.parse({ workspace_id: id, sequence: left.sequence, stream: 'stdout' }), call());
    shown.push(entries);
    return (entries[0]?.stdout_bytes ?? 0) > 0;
  });
  await engine.workspaces().signal(execSignalInput.parse({ workspace_id: id, sequence: left.sequence }), call());
  shown.push(
    await engine.workspaces().logs(logsInput.parse({ workspace_id: id }), call()),
    await engine.workspaces().status({ workspace_id: id }, call()),
    await engine.workspaces().list({ limit: 50 }),
    await engine.workspaces().delete({ workspace_id: id, force: false, dry_run: true }, call()),
  );
  await engine.workspaces().stop({ workspace_id: id }, call());
  expect(formsIn(JSON.stringify(shown), forms)).toEqual([]);
  expect(filesWith(forms, engine.paths.state)).toEqual([]);
});

test('a failure that would quote it does not', async () => {
  const reports = [
    await reportOf(exec(engine, id, 'true', { cwd: `/nowhere/${fromFile}` })),
    await reportOf(exec(engine, id, 'true', { user: fromFile })),
    await reportOf(
      engine.workspaces().shells.open(shellOpenInput.parse({ workspace_id: id, cwd: `/${fromFile}` }), call()),
    ),
    await reportOf(
      engine
        .workspaces()
        .services.start(
          serviceStartInput.parse({ workspace_id: id, service_name: 'x', command: `echo ${fromFile}` }),
          call(),
        ),
    ),
  ];
  expect(formsIn(JSON.stringify(reports), forms)).toEqual([]);
  expect(reports.slice(2).map(({ code }) => code)).toEqual(['secret_in_record', 'secret_in_record']);
});

test('a name, a label, an event and a log of the daemon have stars in its place', async () => {
  const token = Buffer.from(fromFile).toString('base64');
  const update = updateInput.parse({
    workspace_id: id,
    name: `job ${fromFile}`,
    labels: { note: token, [fromFile]: 'x' },
  });
  const out = join(engine.paths.state, '..', `out-${fromFile}`);
  const shown: unknown[] = [
    await engine.workspaces().update(update, call()),
    await engine.workspaces().create(
      createInput.parse({
        ...createRequest,
        name: `a ${value}`,
        labels: { note: value },
        secrets: [{ name: 'TOKEN', value }],
      }),
      call(),
    ),
    await engine.workspaces().list({ limit: 50 }),
    await engine.workspaces().status({ workspace_id: id }, call()),
    await engine
      .workspaces()
      .export(exportInput.parse({ workspace_id: id, path: '/workspace', output_path: out }), call())
      .then(() => undefined),
    await engine.workspaces().summary({ workspace_id: id, format: 'markdown' }, call()),
    await reportOf(engine.workspaces().snapshotCreate({ workspace_id: id, snapshot_name: fromFile }, call())),
    await reportOf(engine.workspaces().snapshotDelete({ workspace_id: id, snapshot_name: fromFile }, call())),
    await reportOf(
      engine
        .workspaces()
        .services.start(serviceStartInput.parse({ workspace_id: id, service_name: fromFile, command: 'true' }), call()),
    ),
    await reportOf(
      engine
        .workspaces()
        .create(
          createInput.parse({ ...createRequest, labels: { [`-${value}`]: 'x' }, secrets: [{ name: 'TOKEN', value }] }),
          call(),
        ),
    ),
  ];
  expect(shown[0]).toMatchObject({ name: `job ${'*'.repeat(fromFile.length)}` });
  expect(formsIn(JSON.stringify(shown), forms)).toEqual([]);
  expect(filesWith(forms, engine.paths.state)).toEqual([]);
  rmSync(out, { recursive: true });
});

test('no process of this machine has it in its arguments or variables', async () => {
  const running = await exec(engine, id, 'exec sleep 1000', { ...asVariable, wait_seconds: 0 });
  const outside: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    // What runs in a guest that stands in is a process of this machine as well: it may have it.
    for (const file of ['cmdline', 'environ']) {
      const text = await readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '');
      if (formsIn(text, forms).length > 0 && !text.includes('PYRO_WORKSPACE'))
        outside.push(`${pid} ${text.slice(0, 200)}`);
    }
  }
  await engine.workspaces().signal(execSignalInput.parse({ workspace_id: id, sequence: running.sequence }), call());
  expect(outside.filter((line) => !line.includes('sleep') && !line.includes('T='))).toEqual([]);
});

test('a page of a file that cuts it has stars, by bytes and by lines', async () => {
  const wrapped = (
    Buffer.from(`xy${fromFile}`)
      .toString('base64')
      .match(/.{1,8}/g) ?? []
  ).join('\n');
  await exec(
    engine,
    id,
    `printf '%s' '${fromFile.slice(0, 5)}' > leak; cat /run/pyro-secrets/FROM_FILE > leak; printf 'a\nb\n%s\n' "$(printf 'xy%s' "$(cat leak)" | base64 -w 8)" > lines`,
  );
  const read = async (given: Record<string, unknown>): Promise<string> =>
    (await engine.workspaces().fileRead(fileReadInput.parse({ workspace_id: id, ...given }), call())).content;
  for (let offset = 0; offset < fromFile.length; offset += 3) {
    expect(await read({ path: 'leak', offset, max_bytes: 3 })).toMatch(/^\*{1,3}$/);
  }
  expect(await read({ path: 'lines', start_line: 1, end_line: 2 })).toBe('a\nb\n');
  for (const [index, line] of wrapped.split('\n').entries()) {
    const shown = (await read({ path: 'lines', start_line: 3 + index, end_line: 3 + index })).trimEnd();
    expect(shown.length).toBe(line.length);
    expect(shown).toMatch(index === 0 ? /^.{3}\*{5}$/ : /^\*+=*$/);
  }
});

test('one that is not there, and one whose variable is none, are refused by name', async () => {
  expect(await reportOf(exec(engine, id, 'true', { secret_env: { NONE: 'NONE' } }))).toMatchObject({
    code: 'secret_unknown',
    hint: expect.stringContaining('TOKEN'),
  });
  expect(await reportOf(exec(engine, id, 'true', { secret_env: { TOKEN: 'no variable' } }))).toMatchObject({
    code: 'usage',
  });
});

test('its file is gone with the workspace, and a value that went with the memory of the machine is said to be lost', async () => {
  const shared = '/dev/shm';
  const kept = () => [
    ...filesWith([Buffer.from(value).toString('base64')], shared),
    ...filesWith([Buffer.from(value).toString('base64')], engine.paths.runtime),
  ];
  expect(kept()).toContainEqual(expect.stringContaining(id));
  await engine.workspaces().stop({ workspace_id: id }, call());
  rmSync(kept().find((file) => file.includes(id)) ?? '');
  await engine.reopen();
  await engine.workspaces().start({ workspace_id: id }, call());
  expect((await exec(engine, id, 'echo on')).stdout).toBe('on\n');
  expect(await reportOf(exec(engine, id, 'true', asVariable))).toMatchObject({ code: 'secret_lost' });
  await engine.workspaces().delete({ workspace_id: id, force: true, dry_run: false }, call());
  const secrets = [{ name: 'TOKEN', value }];
  const again = await engine.workspaces().create({ ...createRequest, secrets }, call());
  const ofIt = expect.stringContaining(again.workspace_id);
  expect(kept()).toContainEqual(ofIt);
  await engine.workspaces().delete({ workspace_id: again.workspace_id, force: true, dry_run: false }, call());
  expect(kept()).not.toContainEqual(ofIt);
});

test.each([
  [{ name: 'F', file_path: '/nowhere/at/all' }, 'secret_invalid', /the file of the secret F cannot be read/],
  [{ name: 'F', file_path: 'relative' }, 'usage', /is not an absolute path/],
  [{ name: 'F', file_path: '/dev/zero' }, 'secret_invalid', /is not a regular file/],
  [{ name: 'a b', value: 'something' }, 'secret_invalid', /name/],
  [{ name: 'F', value: 'x' }, 'secret_invalid', /must have/],
])('a create with the secret %j makes nothing', async (secret, code, message) => {
  const before = (await engine.workspaces().list({ limit: 50 })).count;
  const report = await reportOf(engine.workspaces().create({ ...createRequest, secrets: [secret] }, call()));
  expect(report).toMatchObject({ code, message: expect.stringMatching(message) });
  expect((await engine.workspaces().list({ limit: 50 })).count).toBe(before);
});

test('a pipe is waited for by nobody, and a file that is too long is not read to its end', async () => {
  const folder = join(engine.paths.state, '..');
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  writeFileSync(join(folder, 'long'), '');
  truncateSync(join(folder, 'long'), 2 ** 30);
  for (const [name, message] of [
    ['pipe', /is not a regular file/],
    ['long', /is too long/],
  ] as const) {
    const secrets = [{ name: 'F', file_path: join(folder, name) }];
    expect(await reportOf(engine.workspaces().create({ ...createRequest, secrets }, call()))).toMatchObject({
      code: 'secret_invalid',
      message: expect.stringMatching(message),
    });
  }
});

test('a file outside of what the server permits is none for a secret', async () => {
  const secrets = [{ name: 'F', file_path: '/etc/passwd' }];
  const hostPaths = { folders: [engine.paths.cache] };
  expect(await reportOf(engine.workspaces().create({ ...createRequest, secrets }, call({ hostPaths })))).toMatchObject({
    code: 'path_refused',
  });
});
