// Cargo's registries of this machine: those of its configuration, or the ones that it has used, and where crates lie.
import { join } from 'node:path';
import { readCargoTokens, registryOf } from './package-cargo-logins.ts';
import type { Findings } from './package-findings.ts';
import type { HostSettings } from './package-settings.ts';

/** Cargo reads the folder of each parent of the project, so this one holds for all */
const configPath = '/.cargo/config.toml';

export async function readCargo(host: HostSettings, found: Findings, certificates: string | undefined): Promise<void> {
  const folder = host.variable('CARGO_HOME') ?? join(host.home, '.cargo');
  const content = (await host.read(join(folder, 'config.toml'))) ?? (await host.read(join(folder, 'config')));
  const text = content?.toString('utf8') ?? '';
  const proxy = /^\[http\][^[]*?^\s*proxy\s*=\s*"([^"]+)"/ms.exec(text)?.[1];
  const proxies = proxy === undefined ? {} : { http: withScheme(proxy), https: withScheme(proxy) };
  const indexes = new Map<string, string | undefined>();
  const tokens: ReadonlyMap<string, string> = found.hasCredentials
    ? await readCargoTokens(host, folder, text)
    : new Map<string, string>();
  // Of the file only where crates come from goes along: whole sections, without what is secret in them.
  const sections = text.split(/^(?=\[)/m).filter((section) => /^\[(?:source|registries)[.\]]/.test(section));
  const kept = sections.map((section) => {
    const name = registryOf(section);
    const token = name === undefined ? undefined : tokens.get(name);
    const plain = section
      .split('\n')
      .filter((line) => !/^\s*(?:token|secret-key|credential-provider)\b/.test(line))
      .join('\n')
      .replaceAll(/((?:sparse\+)?)(https?:\/\/[^"']+)/g, (_all, prefix: string, url: string) => {
        if (prefix !== '') indexes.set(url, token);
        return prefix + (found.url(url.replace(/\/\/[^/@]*@/, '//'), proxies) ?? '');
      });
    if (name === undefined || token === undefined) return plain;
    found.secret(token);
    // This configuration is on the guest's disk; the token in its memory.
    const path = found.file(`cargo/${name}`, `${token}\n`);
    return `${plain.trimEnd()}\ncredential-provider = ["cargo:token-from-stdout", "cat", "${path}"]\n`;
  });
  if (kept.length > 0) found.files.push({ path: configPath, content: kept.join('') });
  // Without a configuration cargo has a registry of its own; after its first use it keeps a folder of that name.
  const used = await host.list(join(folder, 'registry', 'index'));
  for (const name of used.map((each) => /^([a-z0-9.-]+\.[a-z]+)-[0-9a-f]{16}$/.exec(each)?.[1])) {
    if (name === undefined) continue;
    found.url(`https://${name}`, proxies);
    indexes.set(`https://${name}/`, undefined);
  }
  await Promise.all([...indexes].map(([index, token]) => followIndex(host, found, index, token, certificates)));
}

/** The configuration of an index says from where its crates are loaded. */
async function followIndex(
  host: HostSettings,
  found: Findings,
  index: string,
  authorization: string | undefined,
  certificates: string | undefined,
): Promise<void> {
  if (!URL.canParse(index)) return;
  const options = { proxy: found.proxyFor(new URL(index)), certificates, authorization };
  const content = await host.fetch(`${index.replace(/\/$/, '')}/config.json`, options);
  const dl = /"dl"\s*:\s*"(https?:\/\/[^"/{]+)/.exec(content ?? '')?.[1];
  if (dl !== undefined) found.hostOfServer(dl);
}

function withScheme(proxy: string): string {
  return /^[a-z0-9]+:\/\//.test(proxy) ? proxy : `http://${proxy}`;
}
