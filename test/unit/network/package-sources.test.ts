// Settings of package managers become files, variables and permissions of a guest; credentials only when asked for.
import { describe, expect, it } from 'vitest';
import type { HostSettings } from '../../../src/network/package-settings.ts';
import { type PackageSources, readPackageSources } from '../../../src/network/package-sources.ts';

interface Parts {
  run?: Record<string, string>;
  files?: Record<string, string>;
  variables?: Record<string, string>;
  names?: Record<string, string[]>;
  pages?: Record<string, string>;
  isWithCredentials?: boolean;
}

async function read(parts: Parts): Promise<PackageSources & { readonly asked: readonly (string | undefined)[] }> {
  const files = parts.files ?? {};
  const asked: (string | undefined)[] = [];
  const host: HostSettings = {
    run: async (program, args) => parts.run?.[`${program} ${args.join(' ')}`],
    read: async (path) => {
      const content = files[path];
      return content === undefined ? undefined : Buffer.from(content);
    },
    list: async (folder) => {
      const below = Object.keys(files).filter((path) => path.startsWith(`${folder}/`));
      return [...new Set(below.map((path) => path.slice(folder.length + 1).split('/')[0] ?? ''))];
    },
    variable: (name) => parts.variables?.[name],
    lookup: async (name) => parts.names?.[name] ?? [],
    fetch: async (url, { proxy }) => {
      asked.push(url, proxy);
      return parts.pages?.[url];
    },
    home: '/home/me',
  };
  const request = { codename: 'bookworm', hasCredentials: parts.isWithCredentials === true };
  return { ...(await readPackageSources(request, host)), asked };
}

const textOf = ({ files }: PackageSources, name: string): string | undefined =>
  files.find(({ path }) => path.endsWith(`/${name}`))?.content.toString();
const npm = (config: object): Record<string, string> => ({ 'npm config list --json': JSON.stringify(config) });
const pip = (listed: string, help = ''): Record<string, string> => ({
  'pip config list': listed,
  'pip download --help': help,
});

describe('settings of package managers', () => {
  it('are none on a machine that has none', async () => {
    const { env, files, allow, secrets, routes } = await read({});
    expect({ env, files, allow, secrets, routes: [...routes] }).toEqual({
      env: {},
      files: [],
      allow: [],
      secrets: [],
      routes: [],
    });
  });

  it('lose their credentials and keep their paths, unless those are handed over, into memory and out of what is shown', async () => {
    const parts: Parts = {
      run: {
        ...npm({
          registry: 'https://npm.example/repo/',
          userconfig: '/home/me/.npmrc',
          '@own:registry': 'https://own.example/',
        }),
        ...pip("global.index-url='https://user:pip-secret@pip.example:8443/simple'\n"),
        'go env GOPROXY GOSUMDB': 'https://x:go-secret@go.example,direct\noff\n',
      },
      files: {
        '/home/me/.npmrc': `//npm.example/repo/:_authToken=npm-secret\n//other.example/:_authToken=never-needed\n//own.example/:_authToken="\${TOKEN}"\n`,
      },
    };
    const plain = await read(parts);
    expect(plain.env).toMatchObject({ npm_config_registry: 'https://npm.example/repo/' });
    expect(textOf(plain, 'pip.conf')).toBe('[global]\nindex-url = https://pip.example:8443/simple\n');
    expect(textOf(plain, 'go.env')).toBe('GOPROXY=https://go.example,direct\nGOSUMDB=off\n');
    expect(textOf(plain, 'npmrc')).toBe('@own:registry=https://own.example/\n');
    expect(plain.allow).toEqual(['go.example:443', 'npm.example:443', 'own.example:443', 'pip.example:8443']);
    expect(plain.secrets).toEqual([]);

    const whole = await read({ ...parts, isWithCredentials: true });
    expect(textOf(whole, 'pip.conf')).toContain('https://user:pip-secret@pip.example:8443/simple');
    expect(textOf(whole, 'go.env')).toContain('https://x:go-secret@go.example');
    expect(textOf(whole, 'npmrc')).toContain('//npm.example/repo/:_authToken=npm-secret\n');
    expect(whole.secrets.toSorted()).toEqual(['go-secret', 'npm-secret', 'pip-secret']);
    expect(JSON.stringify([whole.files, whole.env])).not.toContain('never-needed');
    // Variables may end up in records on a disk, and only the folder in memory may hold a secret.
    expect(JSON.stringify(whole.env)).not.toContain('secret');
    for (const { path, content } of whole.files)
      if (content.includes('secret')) expect(path).toMatch(/^\/run\/pyro-packages\//);
  });

  it('of the loopback get the name that the host has in the guest, and pip trusts it as it did', async () => {
    const found = await read({
      run: {
        ...npm({ registry: 'http://localhost:4873/' }),
        ...pip("global.index-url='http://127.0.0.1:3141/simple'\n"),
      },
    });
    expect(found.env['npm_config_registry']).toBe('http://host.pyro.internal:4873/');
    expect(textOf(found, 'pip.conf')).toContain('trusted-host = host.pyro.internal:3141');
    expect(found.allow).toEqual(['host.pyro.internal:3141', 'host.pyro.internal:4873']);
  });

  it('open the loopback behind a name only where the name leads there, for that name and port', async () => {
    const { allow } = await read({
      run: npm({ registry: 'http://mirror.example:81/' }),
      names: { 'mirror.example': ['127.0.0.1', '169.254.169.254', '1.1.1.1'] },
    });
    expect(allow).toEqual(['mirror.example:81', 'mirror.example:81 at 127.0.0.1']);
  });

  it('open of the hosts that a server names only what the user has named, too', async () => {
    const page = '<a href="https://files.example/b.whl">b</a><a href="https://trick.example/c.whl">c</a>';
    const { allow } = await read({
      run: pip("global.index-url='https://index.example/simple'\n"),
      names: { 'index.example': ['203.0.113.7'], 'files.example': ['203.0.113.7'], 'trick.example': ['127.0.0.1'] },
      pages: { 'https://index.example/simple/pip/': page },
    });
    expect(allow).toEqual([
      'files.example:443 at 203.0.113.7',
      'index.example:443',
      'index.example:443 at 203.0.113.7',
      'public files.example:443',
      'public trick.example:443',
    ]);
  });

  it('of pip are its own index where none is set, and the hosts that it sends on to, if those are public', async () => {
    const found = await read({
      run: pip('', 'Base URL of the Python Package\n   Index (default https://index.example/simple). This'),
      pages: {
        'https://index.example/simple/pip/':
          '<a href="https://files.example/a/b.whl#sha256=1">b</a><a href="../c.whl">c</a><a href="http://10.0.0.1/x.whl">d</a>',
      },
    });
    expect(found.allow).toEqual(['index.example:443', 'public files.example:443']);
  });

  it('of pip prefer the environment, and take every extra index', async () => {
    const listed =
      ":env:.index-url='https://a.example/'\nglobal.index-url='https://b.example/'\nglobal.extra-index-url='https://c.example/ https://d.example/'\n";
    expect(textOf(await read({ run: pip(listed) }), 'pip.conf')).toBe(
      '[global]\nindex-url = https://a.example/\nextra-index-url = https://c.example/\n    https://d.example/\n',
    );
  });

  it('of Go include the checksum database, by its name or its address', async () => {
    const go = (sums: string): Parts => ({ run: { 'go env GOPROXY GOSUMDB': `https://go.example\n${sums}\n` } });
    expect((await read(go('sums.example'))).allow).toEqual(['go.example:443', 'sums.example:443']);
    expect((await read(go('sums.example+01ab+c https://mirror.example/sums'))).allow).toEqual([
      'go.example:443',
      'mirror.example:443',
    ]);
  });

  it('of cargo are the sources alone, and where their crates lie', async () => {
    const text =
      '[net]\nretry = 2\n[source.crates-io]\nreplace-with = "m"\n[source.m]\nregistry = "sparse+http://u:p@127.0.0.1:9/i/"\ntoken = "t"\n';
    const found = await read({
      files: {
        '/home/me/.cargo/config.toml': text,
        '/home/me/.cargo/registry/index/index.example-0123456789abcdef/x': '',
      },
      pages: { 'https://index.example/config.json': '{ "dl": "https://crates.example/crates/{crate}" }' },
    });
    expect(found.files).toEqual([
      {
        path: '/.cargo/config.toml',
        content:
          '[source.crates-io]\nreplace-with = "m"\n[source.m]\nregistry = "sparse+http://host.pyro.internal:9/i/"\n',
      },
    ]);
    expect(found.allow).toEqual(['host.pyro.internal:9', 'index.example:443', 'public crates.example:443']);
  });

  it('of apt are the sources of the release of the guest, with their keys', async () => {
    const found = await read({
      files: {
        '/etc/apt/sources.list':
          '# deb http://old.example/ bookworm main\ndeb [arch=amd64 signed-by=/keys/a.gpg] http://deb.example/debian bookworm-updates main # x\ndeb http://other.example trixie main\n',
        '/etc/apt/sources.list.d/a.sources':
          'Types: deb deb-src\nURIs: https://more.example/\n# URIs: https://off.example/\nSuites: bookworm bookworm-security\nComponents: main contrib\n\nTypes: deb\nEnabled: no\nURIs: https://off.example/\nSuites: bookworm\n',
        '/etc/apt/sources.list.d/b.disabled': 'deb http://never.example/ bookworm main\n',
        '/keys/a.gpg': 'key',
      },
    });
    expect(textOf(found, 'sources.list')).toBe(
      'deb [signed-by=/run/pyro-packages/keys/0.gpg] http://deb.example/debian bookworm-updates main\n' +
        'deb https://more.example/ bookworm main contrib\ndeb https://more.example/ bookworm-security main contrib\n',
    );
    expect(textOf(found, '0.gpg')).toBe('key');
    expect(textOf(found, 'apt.conf')).toContain('Dir::Etc::SourceList "/run/pyro-packages/sources.list";');
    expect(found.env['APT_CONFIG']).toBe('/run/pyro-packages/apt.conf');
    expect(found.allow).toEqual(['deb.example:80', 'more.example:443']);
  });

  it('go through the proxies of this machine, which the guest never sees', async () => {
    const found = await read({
      run: {
        ...npm({ registry: 'https://npm.example/' }),
        ...pip("global.index-url='https://pip.inside.example/'\n"),
        'apt-config dump': 'Acquire::http::Proxy "http://me:apt-secret@cache.example:3142";\n',
      },
      files: { '/etc/apt/sources.list': 'deb http://deb.example/debian bookworm main\n' },
      variables: { https_proxy: 'http://me:proxy-secret@proxy.example:8080', no_proxy: 'localhost,.inside.example' },
    });
    expect(Object.fromEntries(found.routes)).toEqual({
      'npm.example:443': 'http://me:proxy-secret@proxy.example:8080',
      'deb.example:80': 'http://me:apt-secret@cache.example:3142',
    });
    expect(JSON.stringify([found.env, found.files, found.allow])).not.toMatch(/secret|proxy\.example|cache\.example/);
    expect(found.asked).toEqual(['https://pip.inside.example/pip/', undefined]);
  });

  it('bring the certificates along, never a key', async () => {
    const certificate = '-----BEGIN CERTIFICATE-----\nx\n';
    const variables = { SSL_CERT_FILE: '/ca.pem' };
    const path = '/run/pyro-packages/certificates.pem';
    const found = await read({ variables, files: { '/ca.pem': certificate, '/etc/ssl/cert.pem': certificate } });
    expect(found.files).toEqual([{ path, content: certificate }]);
    expect(found.env).toMatchObject({ SSL_CERT_FILE: path, PIP_CERT: path, CARGO_HTTP_CAINFO: path });
    const withKey = { '/ca.pem': `${certificate}-----BEGIN PRIVATE KEY-----\n` };
    expect((await read({ variables, files: withKey })).files).toEqual([]);
  });
});
