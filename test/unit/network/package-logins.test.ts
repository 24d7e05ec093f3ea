// Logins of apt and Cargo: which of the host's go to a guest, in what form, and that no other does.
import { expect, it } from 'vitest';
import { type PackageSources, readPackageSources } from '../../../src/network/package-sources.ts';

async function read(files: Readonly<Record<string, string>>, hasCredentials = true): Promise<PackageSources> {
  return await readPackageSources(
    { codename: 'bookworm', hasCredentials },
    {
      run: async () => undefined,
      read: async (path) => (files[path] === undefined ? undefined : Buffer.from(files[path])),
      list: async (folder) =>
        Object.keys(files).flatMap((path) => (path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1)] : [])),
      variable: () => undefined,
      lookup: async () => [],
      fetch: async () => undefined,
      home: '/home/me',
    },
  );
}
const textOf = ({ files }: PackageSources, name: string): string | undefined =>
  files.find(({ path }) => path.endsWith(`/${name}`))?.content.toString();

it('of apt are those for the sources of the guest, by scheme, host and port', async () => {
  const files = {
    '/etc/apt/sources.list':
      'deb https://deb.example/debian bookworm main\ndeb http://127.0.0.1:81/x bookworm main\ndeb http://plain.example/ bookworm main\ndeb https://late.example/ trixie main\n',
    '/etc/apt/auth.conf':
      'machine deb.example/debian login me password one\n# machine deb.example login me password old\nmachine deb.example:444 login me password two\nmachine plain.example login me password three\n',
    '/etc/apt/auth.conf.d/a.conf': 'machine http://127.0.0.1:81\n\tlogin you\n\tpassword four\n',
    '/etc/apt/auth.conf.d/b.disabled': 'machine deb.example login me password five\n',
    '/etc/apt/auth.conf.d/c.conf': 'machine late.example login me password six\nmachine deb.example login me\n',
  };
  const found = await read(files);
  expect(textOf(found, 'auth.conf')).toBe(
    'machine deb.example/debian login me password one\nmachine http://host.pyro.internal:81 login you password four\n',
  );
  expect(textOf(found, 'apt.conf')).toContain('Dir::Etc::netrc "/run/pyro-packages/auth.conf";');
  expect(found.secrets.toSorted()).toEqual(['four', 'one']);
  const plain = await read(files, false);
  expect(textOf(plain, 'auth.conf')).toBeUndefined();
  expect(textOf(plain, 'apt.conf')).not.toContain('netrc');
});

it('of Cargo are the tokens of its registries, in memory, with a provider that reads them', async () => {
  const files = {
    '/home/me/.cargo/config.toml':
      '[registries.one]\nindex = "sparse+https://one.example/index/"\n\n[registries."two"]\nindex = "sparse+https://two.example/"\ntoken = \'in-config\'\n\n[registries.three]\nindex = "sparse+https://three.example/"\n',
    '/home/me/.cargo/credentials.toml':
      '[registry]\ntoken = "of-publishing"\n[registries.one]\ntoken = "in-credentials"\n[registries.four]\ntoken = "of-no-index"\n',
  };
  const found = await read(files);
  expect(textOf(found, 'config.toml')).toBe(
    [
      '[registries.one]\nindex = "sparse+https://one.example/index/"',
      'credential-provider = ["cargo:token-from-stdout", "cat", "/run/pyro-packages/cargo/one"]',
      '[registries."two"]\nindex = "sparse+https://two.example/"',
      'credential-provider = ["cargo:token-from-stdout", "cat", "/run/pyro-packages/cargo/two"]',
      '[registries.three]\nindex = "sparse+https://three.example/"\n',
    ].join('\n'),
  );
  expect([textOf(found, 'cargo/one'), textOf(found, 'cargo/two')]).toEqual(['in-credentials\n', 'in-config\n']);
  expect(found.secrets.toSorted()).toEqual(['in-config', 'in-credentials']);
  expect(JSON.stringify(found.files)).not.toMatch(/of-publishing|of-no-index/);
  const plain = await read(files, false);
  expect(plain.files.map(({ path }) => path)).toEqual(['/.cargo/config.toml']);
  expect(textOf(plain, 'config.toml')).not.toMatch(/token|credential/);
});
