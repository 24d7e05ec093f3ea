// pip's indexes of this machine, configured or its own, and the hosts that they send on to.
import type { Findings } from './package-findings.ts';
import type { HostSettings } from './package-settings.ts';

/** A package that every whole index has; its page names the hosts of files */
const anyPackage = 'pip';

export async function readPip(host: HostSettings, found: Findings, certificates: string | undefined): Promise<void> {
  const run = async (args: readonly string[]): Promise<string | undefined> =>
    (await host.run('pip', args)) ?? (await host.run('pip3', args));
  const [listed, help] = await Promise.all([run(['config', 'list']), run(['download', '--help'])]);
  if (listed === undefined && help === undefined) return;
  const value = readerOf(listed ?? '');
  const proxy = value('proxy');
  const proxies = proxy === undefined ? {} : { http: proxy, https: proxy };
  // Without a setting pip has an index of its own, which its help names.
  const own = /Base\s+URL\s+of\s+the\s+Python\s+Package\s+Index\s+\(default\s+(\S+)\)/.exec(help ?? '')?.[1];
  const configured = value('index-url') ?? own;
  const extras = (value('extra-index-url') ?? '').split(/\\n|\s+/).filter((each) => each !== '');
  const index = found.url(configured, proxies);
  const extra = extras.flatMap((each) => found.url(each, proxies) ?? []);
  if (index === undefined && extra.length === 0) return;
  const trusted = (value('trusted-host') ?? '').split(/\\n|\s+/).filter((each) => each !== '');
  // An index without TLS has to be trusted by name; on this machine a loopback one was by itself.
  for (const each of [index, ...extra]) if (each?.startsWith('http:')) trusted.push(new URL(each).host);
  const lines = [
    '[global]',
    ...(index === undefined ? [] : [`index-url = ${index}`]),
    ...(extra.length === 0 ? [] : [`extra-index-url = ${extra.join('\n    ')}`]),
    ...(trusted.length === 0 ? [] : [`trusted-host = ${[...new Set(trusted)].join('\n    ')}`]),
  ];
  found.env['PIP_CONFIG_FILE'] = found.file('pip.conf', `${lines.join('\n')}\n`);
  if (index !== undefined && new URL(index).username === '') found.env['UV_DEFAULT_INDEX'] = index;
  await Promise.all([configured, ...extras].map((each) => followIndex(host, found, each, certificates)));
}

/** Later lines go before earlier ones, and the environment, which is listed apart, before all. */
function readerOf(listed: string): (key: string) => string | undefined {
  const lines = [...listed.matchAll(/^([^=\s]+)\.([a-z-]+)='(.*)'$/gm)];
  const last = (key: string, isEnv: boolean): string | undefined =>
    lines.findLast(([, section, name]) => name === key && (section === ':env:') === isEnv)?.[3];
  return (key) => last(key, true) ?? last(key, false);
}

async function followIndex(
  host: HostSettings,
  found: Findings,
  index: string | undefined,
  certificates: string | undefined,
): Promise<void> {
  if (index === undefined || !URL.canParse(index)) return;
  const page = `${index.replace(/\/$/, '')}/${anyPackage}/`;
  const options = { proxy: found.proxyFor(new URL(index)), certificates, accept: 'text/html' };
  const content = (await host.fetch(page, options)) ?? '';
  const origins = [...content.matchAll(/href="(https?:\/\/[^"/?#]+)/g)].map(([, origin]) => origin ?? '');
  for (const origin of new Set(origins)) found.hostOfServer(origin);
}
