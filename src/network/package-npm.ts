// npm's registries of this machine, with their scopes, for npm and what reads its settings.
import { z } from 'zod';
import { hostName } from './allow-rule.ts';
import { authorityOf } from './host-fetch.ts';
import type { Findings } from './package-findings.ts';
import type { HostSettings } from './package-settings.ts';

const text = z.string().optional().catch(undefined);
const configSchema = z
  .looseObject({
    registry: text,
    proxy: text,
    'https-proxy': text,
    noproxy: z
      .union([z.string(), z.array(z.string()).transform((names) => names.join(','))])
      .optional()
      .catch(undefined),
    userconfig: text,
    globalconfig: text,
  })
  .catch({});

export async function readNpm(host: HostSettings, found: Findings): Promise<void> {
  const config = configSchema.parse(tryJson(await host.run('npm', ['config', 'list', '--json'])));
  const proxies = {
    http: config.proxy,
    https: config['https-proxy'] ?? config.proxy,
    direct: config.noproxy || undefined,
  };
  const hosts = new Set<string>();
  const address = (given: unknown): string | undefined => {
    if (typeof given !== 'string' || !URL.canParse(given)) return undefined;
    hosts.add(authorityOf(new URL(given)));
    // npm reads no credentials in addresses.
    return found.url(given.replace(/\/\/[^/@]*@/, '//'), proxies);
  };
  const registry = address(config.registry);
  if (registry === undefined) return;
  found.env['npm_config_registry'] = registry;
  found.env['YARN_NPM_REGISTRY_SERVER'] = registry;
  const lines = Object.entries(config).flatMap(([key, value]) => {
    const scoped = /^@[\w.-]+:registry$/.test(key) ? address(value) : undefined;
    return scoped === undefined ? [] : [`${key}=${scoped}`];
  });
  if (found.hasCredentials) {
    for (const path of [config.globalconfig, config.userconfig])
      lines.push(...(await readLogins(host, found, path, hosts)));
  }
  if (lines.length > 0) found.env['npm_config_globalconfig'] = found.file('npmrc', `${lines.join('\n')}\n`);
}

/** Lines that log in to one of the registries, and to no other. */
async function readLogins(
  host: HostSettings,
  found: Findings,
  path: string | undefined,
  hosts: ReadonlySet<string>,
): Promise<string[]> {
  const content = path === undefined ? undefined : await host.read(path);
  const lines: string[] = [];
  for (const [, place = '', key = '', value = ''] of (content?.toString('utf8') ?? '').matchAll(
    /^(\/\/[^\s=]+?):(_authToken|_auth|_password|username)\s*=\s*"?([^"\r\n]*?)"?\s*$/gm,
  )) {
    const url = URL.canParse(`https:${place}`) ? new URL(`https:${place}`) : undefined;
    // A variable of this machine's environment stays here.
    if (url === undefined || value.includes('${')) continue;
    const isKnown = [url, new URL(`http:${place}`)].some((each) => hosts.has(authorityOf(each)));
    if (!isKnown) continue;
    if (key !== 'username') found.secret(value);
    if (key === '_password') found.secret(Buffer.from(value, 'base64').toString('utf8'));
    if (key === '_auth')
      found.secret(
        Buffer.from(value, 'base64')
          .toString('utf8')
          .replace(/^[^:]*:/, ''),
      );
    const inGuest = place.replace(/^\/\/(?:localhost|127\.\d+\.\d+\.\d+)(?=[:/])/, `//${hostName}`);
    lines.push(`${inGuest}:${key}=${value}`);
  }
  return lines;
}

function tryJson(content: string | undefined): unknown {
  try {
    return JSON.parse(content ?? '');
  } catch {
    return {};
  }
}
