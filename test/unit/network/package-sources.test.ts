// Settings of package managers become variables and files of a guest, without credentials and with usable host names.
import { describe, expect, it } from 'vitest';
import { type HostSettings, readPackageSources } from '../../../src/network/package-sources.ts';

function host(parts: {
  run?: Record<string, string>;
  files?: Record<string, string>;
  variables?: Record<string, string>;
}): HostSettings {
  return {
    run: async (program) => parts.run?.[program],
    read: async (path) => parts.files?.[path],
    list: async (folder) =>
      Object.keys(parts.files ?? {})
        .filter((path) => path.startsWith(`${folder}/`))
        .map((path) => path.slice(folder.length + 1)),
    variable: (name) => parts.variables?.[name],
    home: '/home/me',
  };
}

describe('settings of package managers', () => {
  it('are none on a machine that has none', async () => {
    expect(await readPackageSources(host({}))).toEqual({ env: {}, files: [], allow: [] });
  });

  it('lose their credentials and keep their paths', async () => {
    const { env, allow } = await readPackageSources(
      host({
        run: {
          npm: 'https://me:secret@npm.example/repo/\n',
          pip: "global.index-url='https://u:p@pip.example:8443/simple'\n",
        },
      }),
    );
    expect(env).toEqual({
      npm_config_registry: 'https://npm.example/repo/',
      PIP_INDEX_URL: 'https://pip.example:8443/simple',
    });
    expect(allow).toEqual(['npm.example:443', 'pip.example:8443']);
  });

  it('of the loopback get the name that the host has in the guest', async () => {
    const { env, allow } = await readPackageSources(
      host({ run: { npm: 'http://localhost:4873/' }, variables: { https_proxy: 'http://127.0.0.1:8118' } }),
    );
    expect(env).toEqual({
      npm_config_registry: 'http://host.pyro.internal:4873/',
      https_proxy: 'http://host.pyro.internal:8118',
      HTTPS_PROXY: 'http://host.pyro.internal:8118',
    });
    expect(allow).toEqual(['host.pyro.internal:4873', 'host.pyro.internal:8118']);
  });

  it('of pip prefer the environment, and take every extra index', async () => {
    const listed =
      ":env:.index-url='https://a.example/'\nglobal.index-url='https://b.example/'\nglobal.extra-index-url='https://c.example/ https://d.example/'\n";
    const { env } = await readPackageSources(host({ run: { pip: listed } }));
    expect(env).toEqual({
      PIP_INDEX_URL: 'https://a.example/',
      PIP_EXTRA_INDEX_URL: 'https://c.example/ https://d.example/',
    });
  });

  it('of Go keep the order and the last resort', async () => {
    const { env, allow } = await readPackageSources(host({ run: { go: 'https://x:y@go.example,direct\noff\n' } }));
    expect(env).toEqual({ GOPROXY: 'https://go.example,direct', GOSUMDB: 'off' });
    expect(allow).toEqual(['go.example:443']);
  });

  it('of cargo are the sources alone', async () => {
    const text =
      '[net]\nretry = 2\n[source.crates-io]\nreplace-with = "m"\n[source.m]\nregistry = "sparse+http://u:p@127.0.0.1:9/i/"\ntoken = "t"\n';
    const { files, allow } = await readPackageSources(host({ files: { '/home/me/.cargo/config.toml': text } }));
    expect(files).toEqual([
      {
        path: '/root/.cargo/config.toml',
        content:
          '[source.crates-io]\nreplace-with = "m"\n[source.m]\nregistry = "sparse+http://host.pyro.internal:9/i/"\n',
      },
    ]);
    expect(allow).toEqual(['host.pyro.internal:9']);
  });

  it('of apt give its proxy and the hosts of its sources, but not those that are commented out', async () => {
    const { files, allow } = await readPackageSources(
      host({
        run: { 'apt-config': 'Acquire::http::Proxy "http://cache.example:3142";\n' },
        files: {
          '/etc/apt/sources.list':
            '# deb http://old.example/ x main\ndeb [arch=amd64] http://deb.example/debian x main\n',
          '/etc/apt/sources.list.d/a.sources': 'Types: deb\nURIs: https://more.example/\n',
          '/etc/apt/sources.list.d/b.disabled': 'deb http://never.example/ x main\n',
        },
      }),
    );
    expect(files).toEqual([
      { path: '/etc/apt/apt.conf.d/90pyro-http-proxy', content: 'Acquire::http::Proxy "http://cache.example:3142";\n' },
    ]);
    expect(allow).toEqual(['cache.example:3142', 'deb.example:80', 'more.example:443']);
  });

  it('bring the certificates along, never a key', async () => {
    const certificate = '-----BEGIN CERTIFICATE-----\nx\n';
    const variables = { SSL_CERT_FILE: '/ca.pem' };
    const { env, files } = await readPackageSources(host({ variables, files: { '/ca.pem': certificate } }));
    expect(files).toEqual([{ path: '/etc/pyro-certificates.pem', content: certificate }]);
    expect(env).toMatchObject({ SSL_CERT_FILE: '/etc/pyro-certificates.pem', PIP_CERT: '/etc/pyro-certificates.pem' });
    const withKey = { '/ca.pem': `${certificate}-----BEGIN PRIVATE KEY-----\n` };
    expect((await readPackageSources(host({ variables, files: withKey }))).files).toEqual([]);
  });
});
