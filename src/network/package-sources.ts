// Settings of this machine's package managers and proxies, read when asked for, as variables and files for a guest.
import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { findProgram, tryCommand } from '../system/command.ts';
import { readVariable, readVariableOfEitherCase, type VariableName } from '../system/environment-variables.ts';
import { hostName } from './allow-rule.ts';
import { parseHost } from './target.ts';

export interface GuestFile {
  /** Absolute path in the guest */
  readonly path: string;
  readonly content: string;
}

export interface PackageSources {
  readonly env: Readonly<Record<string, string>>;
  readonly files: readonly GuestFile[];
  /** Entries of an allow-list for all that the settings name */
  readonly allow: readonly string[];
}

/** What is looked at on this machine; tests put their own in its place. */
export interface HostSettings {
  /** Output of a program; undefined when it is not there or fails */
  readonly run: (program: string, args: readonly string[]) => Promise<string | undefined>;
  readonly read: (path: string) => Promise<string | undefined>;
  readonly list: (folder: string) => Promise<readonly string[]>;
  readonly variable: (name: VariableName) => string | undefined;
  readonly home: string;
}

const programTimeoutMs = 10_000;
const longestFile = 2 * 1024 * 1024;
const certificatesPath = '/etc/pyro-certificates.pem';

export const hostSettings: HostSettings = {
  run: async (program, args) => {
    if ((await findProgram(program)) === undefined) return undefined;
    const result = await tryCommand(program, args, { timeoutMs: programTimeoutMs }).catch(() => undefined);
    return result?.exitCode === 0 ? result.stdout : undefined;
  },
  read: async (path) => {
    const text = await readFile(path, 'utf8').catch(() => undefined);
    return text === undefined || text.length > longestFile ? undefined : text;
  },
  list: async (folder) => (await readdir(folder).catch(() => [])).sort(),
  variable: readVariableOfEitherCase,
  home: readVariable('HOME') ?? homedir(),
};

/** Gathers everything; what is not set up on this machine is left out. Credentials never go in. */
export async function readPackageSources(host: HostSettings = hostSettings): Promise<PackageSources> {
  const found = new Findings();
  await Promise.all([readNpm(host, found), readPip(host, found), readGo(host, found), readCargo(host, found)]);
  await readApt(host, found);
  for (const name of ['http_proxy', 'https_proxy'] as const) {
    const proxy = found.url(host.variable(name));
    if (proxy !== undefined) found.both(name, proxy);
  }
  const direct = host.variable('no_proxy');
  if (direct !== undefined) found.both('no_proxy', `localhost,127.0.0.1,::1,${direct}`);
  await readCertificates(host, found);
  return { env: found.env, files: found.files, allow: [...found.allow].sort() };
}

class Findings {
  readonly env: Record<string, string> = {};
  readonly files: GuestFile[] = [];
  readonly allow = new Set<string>();

  /** The URL as the guest can use it, without credentials; its host becomes allowed. */
  url(text: string | undefined): string | undefined {
    if (text === undefined || !URL.canParse(text)) return undefined;
    const url = new URL(text);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
    url.username = '';
    url.password = '';
    // A service on the loopback of this machine has another name in the guest.
    if (/^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)) url.hostname = hostName;
    const port = url.port !== '' ? url.port : url.protocol === 'https:' ? '443' : '80';
    const name = url.hostname;
    if (name.startsWith('[') || parseHost(name).kind !== 'invalid') this.allow.add(`${name}:${port}`);
    const trailing = text.endsWith('/') ? '' : '/';
    return trailing === '' || !url.href.endsWith('/') ? url.href : url.href.slice(0, -1);
  }

  both(name: string, value: string): void {
    this.env[name] = value;
    this.env[name.toUpperCase()] = value;
  }
}

async function readNpm(host: HostSettings, found: Findings): Promise<void> {
  const registry = found.url((await host.run('npm', ['config', 'get', 'registry']))?.trim());
  if (registry !== undefined) found.env['npm_config_registry'] = registry;
}

async function readPip(host: HostSettings, found: Findings): Promise<void> {
  const listed = (await host.run('pip', ['config', 'list'])) ?? (await host.run('pip3', ['config', 'list'])) ?? '';
  // Later lines go before earlier ones, and the environment, which is listed apart, before all.
  const lines = [...listed.matchAll(/^([^=\s]+)\.([a-z-]+)='(.*)'$/gm)];
  const value = (key: string): string | undefined =>
    lines.findLast(([, section, name]) => name === key && section === ':env:')?.[3] ??
    lines.findLast(([, section, name]) => name === key && section !== ':env:')?.[3];
  const index = found.url(value('index-url'));
  if (index !== undefined) found.env['PIP_INDEX_URL'] = index;
  const extra = (value('extra-index-url') ?? '').split(/\\n|\s+/).map((url) => found.url(url));
  const extras = extra.filter((url) => url !== undefined);
  if (extras.length > 0) found.env['PIP_EXTRA_INDEX_URL'] = extras.join(' ');
}

async function readGo(host: HostSettings, found: Findings): Promise<void> {
  const [proxies = '', sums = ''] = ((await host.run('go', ['env', 'GOPROXY', 'GOSUMDB'])) ?? '').split('\n');
  const usable = proxies.split(/([,|])/).map((part) => (/^https?:/.test(part) ? (found.url(part) ?? 'off') : part));
  if (proxies !== '') found.env['GOPROXY'] = usable.join('');
  if (sums === 'off') found.env['GOSUMDB'] = sums;
}

async function readCargo(host: HostSettings, found: Findings): Promise<void> {
  const folder = host.variable('CARGO_HOME') ?? join(host.home, '.cargo');
  const text = (await host.read(join(folder, 'config.toml'))) ?? (await host.read(join(folder, 'config')));
  if (text === undefined) return;
  // Of the file only where crates come from goes along: whole sections, without secrets in them.
  const sections = text.split(/^(?=\[)/m).filter((section) => /^\[(?:source|registries)[.\]]/.test(section));
  const kept = sections.map((section) =>
    section
      .split('\n')
      .filter((line) => !/^\s*(?:token|secret-key|credential-provider)\b/.test(line))
      .join('\n')
      .replaceAll(
        /((?:sparse\+)?)(https?:\/\/[^"']+)/g,
        (_all, prefix: string, url: string) => prefix + (found.url(url) ?? ''),
      ),
  );
  if (kept.length > 0) found.files.push({ path: '/root/.cargo/config.toml', content: kept.join('') });
}

/** Sources and proxy of apt; a guest of another release has to leave the sources alone, so they name theirs. */
async function readApt(host: HostSettings, found: Findings): Promise<void> {
  const dump = (await host.run('apt-config', ['dump'])) ?? '';
  for (const [, scheme, url] of dump.matchAll(/^Acquire::(https?)::Proxy "([^"]+)";/gim)) {
    const proxy = found.url(url);
    if (scheme !== undefined && proxy !== undefined) {
      const content = `Acquire::${scheme}::Proxy "${proxy}";\n`;
      found.files.push({ path: `/etc/apt/apt.conf.d/90pyro-${scheme}-proxy`, content });
    }
  }
  const folder = '/etc/apt/sources.list.d';
  const names = (await host.list(folder)).filter((name) => /\.(?:list|sources)$/.test(name));
  for (const path of ['/etc/apt/sources.list', ...names.map((name) => join(folder, name))]) {
    const text = await host.read(path);
    if (text === undefined) continue;
    for (const [url] of withoutComments(text).matchAll(/https?:\/\/[^\s"'\]]+/g)) found.url(url);
  }
}

function withoutComments(text: string): string {
  return text.replaceAll(/^\s*#.*$/gm, '');
}

/** A machine whose traffic is inspected has certificates of its own, without which nothing in the guest connects. */
async function readCertificates(host: HostSettings, found: Findings): Promise<void> {
  const path = host.variable('SSL_CERT_FILE') ?? host.variable('NODE_EXTRA_CA_CERTS');
  const content = path === undefined ? undefined : await host.read(path);
  if (content === undefined || !content.includes('BEGIN CERTIFICATE') || content.includes('PRIVATE KEY')) return;
  found.files.push({ path: certificatesPath, content });
  for (const name of [
    'SSL_CERT_FILE',
    'NODE_EXTRA_CA_CERTS',
    'PIP_CERT',
    'REQUESTS_CA_BUNDLE',
    'CURL_CA_BUNDLE',
    'GIT_SSL_CAINFO',
  ]) {
    found.env[name] = certificatesPath;
  }
}
