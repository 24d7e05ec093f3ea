// Where an MCP server finds its project, and what it lets tools reach of the host.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeHome, makeCheckout, openHome } from '../support/fake.ts';
import { errorOf, fakeServer, openClient, seededSchema } from '../support/mcp.ts';

let home: FakeHome;
beforeEach(() => {
  home = openHome();
});
afterEach(async () => {
  await home[Symbol.asyncDispose]();
});

async function seededBy(flags: readonly string[], cwd?: string, args: Record<string, unknown> = {}) {
  await using open = await openClient(fakeServer(home, flags, cwd));
  const result = await open.client.callTool({ name: 'fake_seeded', arguments: args });
  return seededSchema.parse(result.structuredContent);
}

describe('the project', () => {
  it('is the checkout around the working directory', async () => {
    const checkout = makeCheckout(home, 'work');
    mkdirSync(`${checkout}/deep/er`, { recursive: true });
    expect(await seededBy([], `${checkout}/deep/er`)).toMatchObject({ project: checkout, origin_kind: 'cwd' });
  });

  it('is nothing outside of a checkout, and then exports have a folder of their own', async () => {
    mkdirSync(home.path('plain'));
    expect(await seededBy([], home.path('plain'))).toMatchObject({
      project: null,
      folders: [home.path('state/exports')],
    });
  });

  it('is what --project-path says, and --allow-path adds folders', async () => {
    const checkout = makeCheckout(home, 'work');
    const other = makeCheckout(home, 'other');
    const result = await seededBy(['--project-path', other, '--allow-path', '/opt/x', '--allow-path', 'rel'], checkout);
    expect(result).toMatchObject({ project: other, origin_kind: 'project_path' });
    expect(result.folders).toEqual([other, '/opt/x', `${checkout}/rel`, home.path('state/exports')]);
  });

  it('is refused with the flag to correct when --project-path is not there', async () => {
    await using open = await openClient(fakeServer(home, ['--project-path', '/nonexistent']));
    const result = await open.client.callTool({ name: 'fake_seeded', arguments: {} });
    expect(errorOf(result).report).toMatchObject({
      code: 'project_missing',
      message: expect.stringContaining('--project-path /nonexistent'),
    });
  });

  it('comes from CLAUDE_PROJECT_DIR before the working directory', async () => {
    const checkout = makeCheckout(home, 'work');
    const named = makeCheckout(home, 'named');
    const server = fakeServer(home, [], checkout);
    await using open = await openClient({ ...server, env: { ...server.env, CLAUDE_PROJECT_DIR: named } });
    const result = await open.client.callTool({ name: 'fake_seeded', arguments: {} });
    expect(seededSchema.parse(result.structuredContent).project).toBe(named);
  });

  it('is a clean clone of --repo-url at --repo-ref, kept without credentials', async () => {
    const origin = makeCheckout(home, 'origin', ['go.mod']);
    const git = (...args: string[]): string =>
      execFileSync(
        'git',
        ['-C', origin, '-c', 'user.name=t', '-c', 'user.email=t@t', '-c', 'commit.gpgsign=false', ...args],
        {
          encoding: 'utf8',
        },
      );
    git('add', '.');
    git('commit', '-qm', 'one');
    git('checkout', '-qb', 'next');
    writeFileSync(`${origin}/second`, 'x');
    git('add', '.');
    git('commit', '-qm', 'two');
    const flags = ['--repo-url', pathToFileURL(origin).href, '--repo-ref', 'main', '--environment', 'auto'];
    const result = await seededBy(flags);
    expect(result).toMatchObject({ origin_kind: 'repo_url', environment: 'golang:1' });
    expect(result['origin_ref']).toBe(`${pathToFileURL(origin).href}@main`);
    expect(existsSync(`${result.project}/go.mod`)).toBe(true);
    expect(existsSync(`${result.project}/second`)).toBe(false);
    git('checkout', '-q', 'main');
    writeFileSync(`${origin}/third`, 'x');
    git('add', '.');
    git('commit', '-qm', 'three');
    expect((await seededBy(flags)).project).toBe(result.project);
    expect(existsSync(`${result.project}/third`)).toBe(true);
  });

  it('is cloned with the credentials of its address, none of which are kept or shown', async () => {
    const origin = makeCheckout(home, 'origin', ['README']);
    const identity = ['-c', 'user.name=t', '-c', 'user.email=t@t', '-c', 'commit.gpgsign=false'];
    execFileSync('git', ['-C', origin, 'add', '.']);
    execFileSync('git', ['-C', origin, ...identity, 'commit', '-qm', 'one']);
    const address = 'https://somebody:s3cr3t@example.org/app.git';
    // Git itself takes the local folder for that address.
    const rewrite = {
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: `url.${pathToFileURL(origin).href}.insteadOf`,
      GIT_CONFIG_VALUE_0: address,
    };
    const server = fakeServer(home, ['--repo-url', address]);
    await using open = await openClient({ ...server, env: { ...server.env, ...rewrite } });
    const result = await open.client.callTool({ name: 'fake_seeded', arguments: {} });
    const { project, ...rest } = seededSchema.parse(result.structuredContent);
    expect(existsSync(`${project}/README`)).toBe(true);
    expect(rest['origin_ref']).toBe('https://example.org/app.git');
    expect(spawnSync('grep', ['-rl', 's3cr3t', home.folder], { encoding: 'utf8' }).stdout).toBe('');
    expect(open.client.getInstructions()).not.toContain('s3cr3t');
  });

  it('is that clone alone, also where variables of a git hook name another repository', async () => {
    const identity = ['-c', 'user.name=t', '-c', 'user.email=t@t', '-c', 'commit.gpgsign=false'];
    const git = (folder: string, ...args: string[]): string =>
      execFileSync('git', ['-C', folder, ...identity, ...args], { encoding: 'utf8' });
    const [origin, own] = [makeCheckout(home, 'origin', ['README']), makeCheckout(home, 'own', ['mine'])];
    for (const folder of [origin, own]) {
      git(folder, 'add', '.');
      git(folder, 'commit', '-qm', 'one');
    }
    git(own, 'update-ref', 'refs/remotes/origin/gone', 'HEAD');
    const before = git(own, 'for-each-ref') + git(own, 'symbolic-ref', 'HEAD');
    const hook = { GIT_DIR: `${own}/.git`, GIT_INDEX_FILE: `${own}/.git/index` };
    const server = fakeServer(home, ['--repo-url', pathToFileURL(origin).href]);
    for (const _ of ['clone', 'refresh']) {
      await using open = await openClient({ ...server, env: { ...server.env, ...hook } });
      const result = await open.client.callTool({ name: 'fake_seeded', arguments: {} });
      expect(existsSync(`${seededSchema.parse(result.structuredContent).project}/README`)).toBe(true);
    }
    expect(git(own, 'for-each-ref') + git(own, 'symbolic-ref', 'HEAD')).toBe(before);
    expect(git(own, 'status', '--porcelain')).toBe('');
  });

  it.each([
    ['pnpm-lock.yaml', 'node:24'],
    ['Cargo.toml', 'rust:1'],
    ['requirements.txt', 'python:3.13'],
    ['Makefile', 'debian:12-build'],
    ['README', 'debian:12'],
  ])('with %s chooses %s when the environment is auto, and says why', async (file, environment) => {
    const checkout = makeCheckout(home, 'work', [file]);
    const result = await seededBy(['--environment', 'auto'], checkout);
    expect(result.environment).toBe(environment);
    expect(result.server_notes).toEqual([expect.stringContaining(`environment ${environment} was chosen`)]);
    expect((await seededBy(['--environment', 'auto'], checkout, { environment: 'x' })).environment).toBe('x');
  });

  it('gives the network of the flags as a ceiling and as the default', async () => {
    const flags = ['--no-project-source', '--network-policy', 'egress', '--allow', 'a.org', '--allow', '*.b.org'];
    expect(await seededBy(flags)).toMatchObject({
      ceiling: 'egress',
      network_policy: 'egress',
      allow: ['a.org', '*.b.org'],
    });
    expect(await seededBy(flags, undefined, { network_policy: 'off' })).toMatchObject({ network_policy: 'off' });
    // Nobody has said anything: nothing leaves, and a port is a way in.
    const silent = { ceiling: 'published-ports', network_policy: 'off' };
    expect(await seededBy(['--no-project-source'])).toMatchObject(silent);
    expect(await seededBy(['--no-project-source', '--network-policy', 'off'])).toMatchObject({
      ...silent,
      ceiling: 'off',
    });
  });
});
