// apt's sources of this machine for the release of a guest, with the keys that they name; a guest of another release keeps its own.
import { join } from 'node:path';
import { readAptLogins } from './package-apt-logins.ts';
import type { Findings } from './package-findings.ts';
import type { HostSettings } from './package-settings.ts';

interface AptSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: string;
  /** Key file of this machine */
  readonly keyPath: string | undefined;
  readonly isTrusted: boolean;
}

const mainList = '/etc/apt/sources.list';
const listFolder = '/etc/apt/sources.list.d';

/** `codename`: release of the guest, as its os-release names it. */
export async function readApt(
  host: HostSettings,
  found: Findings,
  codename: string | undefined,
  certificatesPath: string | undefined,
): Promise<void> {
  const dump = (await host.run('apt-config', ['dump'])) ?? '';
  const proxyFor = (scheme: string): string | undefined =>
    new RegExp(`^Acquire::${scheme}::Proxy "(https?:[^"]+)";`, 'im').exec(dump)?.[1];
  const proxies = { http: proxyFor('http'), https: proxyFor('https') };
  const names = (await host.list(listFolder)).filter((name) => /\.(?:list|sources)$/.test(name));
  const lines: string[] = [];
  const uris: string[] = [];
  const keys = new Map<string, string>();
  for (const path of [mainList, ...names.map((name) => join(listFolder, name))]) {
    const text = (await host.read(path))?.toString('utf8') ?? '';
    for (const source of path.endsWith('.sources') ? readStanzas(text) : readLines(text)) {
      if (codename === undefined || !new RegExp(`^${codename}(?:[-/]|$)`).test(source.suite)) continue;
      const uri = found.url(source.uri, proxies);
      if (uri === undefined) continue;
      uris.push(source.uri);
      const key = source.keyPath === undefined ? undefined : await takeKey(host, found, keys, source.keyPath);
      const options = [
        ...(key === undefined ? [] : [`signed-by=${key}`]),
        ...(source.isTrusted ? ['trusted=yes'] : []),
      ].join(' ');
      lines.push(`deb ${options === '' ? '' : `[${options}] `}${uri} ${source.suite} ${source.components}`);
    }
  }
  if (lines.length === 0) return;
  const list = found.file('sources.list', `${[...new Set(lines)].join('\n')}\n`);
  const logins = found.hasCredentials ? await readAptLogins(host, found, uris) : undefined;
  found.env['APT_CONFIG'] = found.file(
    'apt.conf',
    [
      `Dir::Etc::SourceList "${list}";`,
      'Dir::Etc::SourceParts "/dev/null";',
      ...(certificatesPath === undefined ? [] : [`Acquire::https::CaInfo "${certificatesPath}";`]),
      ...(logins === undefined ? [] : [`Dir::Etc::netrc "${found.file('auth.conf', logins)}";`]),
      '',
    ].join('\n'),
  );
}

/** `deb [options] uri suite component…` */
function readLines(text: string): AptSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line);
    if (match === null) return [];
    const [, options = '', uri = '', suite = '', components = ''] = match;
    return [
      {
        uri,
        suite,
        components: components.trim(),
        keyPath: /\bsigned-by=(\/[^\s,]+)/.exec(options)?.[1],
        isTrusted: /\btrusted=yes\b/.test(options),
      },
    ];
  });
}

/** Paragraphs of `Field: values`, of which each means all combinations of its addresses and suites. */
function readStanzas(text: string): AptSource[] {
  const live = text.replaceAll(/^#.*\n?/gm, '');
  return live.split(/\n\s*\n/).flatMap((stanza) => {
    const words = (field: string): string[] =>
      (new RegExp(`^${field}:[ \\t]*(.*(?:\\n[ \\t].*)*)`, 'im').exec(stanza)?.[1] ?? '').split(/\s+/).filter(Boolean);
    if (!words('Types').includes('deb') || words('Enabled')[0] === 'no') return [];
    const keyPath = words('Signed-By').find((word) => word.startsWith('/'));
    const common = { components: words('Components').join(' '), keyPath, isTrusted: words('Trusted')[0] === 'yes' };
    return words('URIs').flatMap((uri) => words('Suites').map((suite) => ({ uri, suite, ...common })));
  });
}

async function takeKey(
  host: HostSettings,
  found: Findings,
  keys: Map<string, string>,
  path: string,
): Promise<string | undefined> {
  const known = keys.get(path);
  if (known !== undefined) return known;
  const content = await host.read(path);
  if (content === undefined) return undefined;
  const copy = found.file(`keys/${keys.size}.${path.endsWith('.asc') ? 'asc' : 'gpg'}`, content);
  keys.set(path, copy);
  return copy;
}
