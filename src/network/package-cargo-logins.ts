// Tokens of Cargo's registries: from its credentials, or from the configuration where someone has put them.
import { join } from 'node:path';
import type { HostSettings } from './package-settings.ts';

/** Tokens by the name of the registry, of those that have one. */
export async function readCargoTokens(
  host: HostSettings,
  folder: string,
  config: string,
): Promise<ReadonlyMap<string, string>> {
  const content = (await host.read(join(folder, 'credentials.toml'))) ?? (await host.read(join(folder, 'credentials')));
  const tokens = new Map<string, string>();
  for (const text of [config, content?.toString('utf8') ?? '']) {
    for (const section of text.split(/^(?=\s*\[)/m)) {
      const name = registryOf(section);
      const token = /^\s*token\s*=\s*(?:"([^"\\\n]+)"|'([^'\n]+)')/m.exec(section);
      if (name !== undefined && token !== null) tokens.set(name, token[1] ?? token[2] ?? '');
    }
  }
  return tokens;
}

/** Name of the registry that a section of Cargo's files is about. */
export function registryOf(section: string): string | undefined {
  const [, plain, quoted] = /^\s*\[registries\.(?:([A-Za-z0-9_-]+)|["']([A-Za-z0-9_-]+)["'])\]/.exec(section) ?? [];
  return plain ?? quoted;
}
