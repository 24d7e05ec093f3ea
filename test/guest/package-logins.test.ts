// Logins of apt and Cargo: a real apt-get and a real cargo of a guest load from servers that demand them, with the host's own.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGuestFiles } from '../../src/agent/guest-files.ts';
import { fetchText } from '../../src/network/host-fetch.ts';
import type { HostSettings } from '../../src/network/package-settings.ts';
import { type PackageSources, readPackageSources } from '../../src/network/package-sources.ts';
import { makeGrant } from '../../src/network/policy.ts';
import { takeCargo } from '../support/cargo-tools.ts';
import { type LockedRegistry, openLockedRegistry } from '../support/locked-registry.ts';
import { type CommandEnd, type NetworkGuest, openNetworkGuest } from '../support/network-guest.ts';

const token = 'Bearer cargo-secret-word';
let guest: NetworkGuest;
let registry: LockedRegistry;
let sources: PackageSources;
const tools = mkdtempSync(join(tmpdir(), 'pyro-tools-'));

/** A machine whose apt and Cargo know the registry and the logins for it, and one login more. */
function settings(): HostSettings {
  const { port } = registry;
  const files: Readonly<Record<string, string>> = {
    '/etc/apt/sources.list': `deb [trusted=yes] http://127.0.0.1:${port}/apt bookworm main\n`,
    '/etc/apt/auth.conf': `# of this machine\nmachine http://127.0.0.1:${port}/apt\n  login me\n  password apt-secret-word\n`,
    '/etc/apt/auth.conf.d/other.conf': 'machine other.example login me password never-needed\n',
    '/cargo/config.toml': `[registries.own]\nindex = "sparse+http://127.0.0.1:${port}/cargo/index/"\n`,
    '/cargo/credentials.toml': `[registries.own]\ntoken = "${token}"\n\n[registries.other]\ntoken = "never-needed"\n`,
  };
  return {
    run: async () => undefined,
    read: async (path) => (files[path] === undefined ? undefined : Buffer.from(files[path])),
    list: async (folder) => (folder === '/etc/apt/auth.conf.d' ? ['other.conf'] : []),
    variable: (name) => (name === 'CARGO_HOME' ? '/cargo' : undefined),
    lookup: async () => [],
    fetch: fetchText,
    home: '/nowhere',
  };
}

/** As the hand-over does it for a guest that comes up. */
async function handOver(hasCredentials: boolean): Promise<void> {
  sources = await readPackageSources({ codename: 'bookworm', hasCredentials }, settings());
  await guest.run('rm -rf /run/pyro-packages /.cargo /tmp/cargo');
  const files = createGuestFiles(guest.client);
  const signal = new AbortController().signal;
  for (const { path, content } of sources.files)
    await files.write({ path, mode: 0o644 }, Buffer.from(content), { signal });
  await guest.grant(makeGrant('egress', sources.allow));
}

async function run(line: string): Promise<CommandEnd> {
  const set = Object.entries(sources.env).map(([name, value]) => `export ${name}='${value}';`);
  return await guest.run(`${set.join(' ')} ${line}`, { hasProxy: true, timeoutMs: 240_000 });
}

beforeAll(async () => {
  registry = await openLockedRegistry({ apt: 'me:apt-secret-word', cargo: token });
  guest = await openNetworkGuest();
});
afterAll(async () => {
  await guest[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  rmSync(tools, { recursive: true, force: true });
});

const cargoLine = `mkdir -p /tmp/crate/src && cd /tmp/crate && touch src/lib.rs && printf '[package]\\nname = "m"\\nversion = "0.1.0"\\nedition = "2021"\\n[dependencies]\\nhello = { version = "1", registry = "own" }\\n' > Cargo.toml && RUSTC=/opt/rustc CARGO_HOME=/tmp/cargo /opt/cargo fetch`;

describe('with host+credentials', () => {
  beforeAll(async () => {
    await handOver(true);
  });

  it('apt-get installs a package from a repository that demands a login', async () => {
    const { text, exitCode } = await run('apt-get update && apt-get install -y hello-pyro');
    expect({ text, exitCode }).toMatchObject({ exitCode: 0 });
    expect((await run('cat /usr/share/hello-pyro')).text).toBe('from the locked repository\n');
    expect(registry.refused.filter((path) => path.startsWith('/apt/') && path.endsWith('.deb'))).toEqual([]);
  });

  it('cargo fetches a crate from a registry that demands a token', async ({ skip }) => {
    if (!(await takeCargo(tools))) skip('this machine has no rustc');
    const files = createGuestFiles(guest.client);
    const signal = new AbortController().signal;
    for (const name of ['cargo', 'rustc'])
      await files.write({ path: `/opt/${name}`, mode: 0o755 }, readFileSync(join(tools, name)), { signal });
    const { text, exitCode } = await run(cargoLine);
    expect({ text, exitCode }).toMatchObject({ exitCode: 0 });
    expect((await run('ls /tmp/cargo/registry/cache/*')).text).toBe('hello-1.0.0.crate\n');
  });

  it('keeps the logins in the memory of the guest, and only those that it needs', async () => {
    expect((await run('findmnt -n -o FSTYPE -T /run/pyro-packages/auth.conf')).text).toBe('tmpfs\n');
    // The folder of Cargo is there only where this machine has a cargo to lend.
    const found = await run(
      'mkdir -p /tmp/cargo && grep -rlE "apt-secret-word|cargo-secret-word" /run/pyro-packages /.cargo /tmp/cargo /etc',
    );
    expect(found.text.trim().split('\n').sort()).toEqual([
      '/run/pyro-packages/auth.conf',
      '/run/pyro-packages/cargo/own',
    ]);
    expect(sources.secrets.toSorted()).toEqual([token, 'apt-secret-word']);
    const all = JSON.stringify(sources.files.map(({ content }) => content.toString()));
    expect(all).not.toContain('never-needed');
  });
});

describe('with host', () => {
  beforeAll(async () => {
    await handOver(false);
  });

  it('the guest has the sources and no login, and the servers refuse it', async () => {
    expect((await run('apt-get update')).text).toContain('401  Unauthorized');
    const all = JSON.stringify(sources.files.map(({ content }) => content.toString()));
    expect(all).not.toContain('secret-word');
    expect(sources.secrets).toEqual([]);
  });

  it('cargo of the guest has no token either, and says so', async ({ skip }) => {
    if ((await run('test -x /opt/cargo')).exitCode !== 0) skip('this machine has no rustc');
    const { text, exitCode } = await run(cargoLine);
    expect(exitCode).not.toBe(0);
    expect(text).toContain('authenticated registries require a credential-provider');
  });
});
