// Logins of apt for the sources that a guest gets: entries of auth.conf, as netrc has them, and of no other host.
import { join } from 'node:path';
import { type Findings, hostInGuest } from './package-findings.ts';
import type { HostSettings } from './package-settings.ts';

const mainFile = '/etc/apt/auth.conf';
const folder = '/etc/apt/auth.conf.d';

/** Text of an auth.conf for these addresses of the host; undefined when there is no login for any. */
export async function readAptLogins(
  host: HostSettings,
  found: Findings,
  uris: readonly string[],
): Promise<string | undefined> {
  const names = (await host.list(folder)).filter((name) => name.endsWith('.conf'));
  const lines: string[] = [];
  for (const path of [mainFile, ...names.map((name) => join(folder, name))]) {
    const text = (await host.read(path))?.toString('utf8') ?? '';
    for (const { machine, login, password } of readEntries(text)) {
      const place = placeIn(machine, uris);
      if (place === undefined) continue;
      found.secret(password);
      lines.push(`machine ${place} login ${login} password ${password}`);
    }
  }
  return lines.length === 0 ? undefined : `${lines.join('\n')}\n`;
}

interface Entry {
  readonly machine: string;
  readonly login: string;
  readonly password: string;
}

/** `machine M login L password P`, with any white space between, also over several lines. */
function readEntries(text: string): Entry[] {
  const words = text
    .replaceAll(/^\s*#.*$/gm, '')
    .split(/\s+/)
    .filter((word) => word !== '');
  const entries: { machine: string; login: string; password: string }[] = [];
  for (let at = 0; at + 1 < words.length; at++) {
    const [key = '', value = ''] = [words[at], words[at + 1]];
    const entry = entries.at(-1);
    if (key === 'machine') entries.push({ machine: value, login: '', password: '' });
    else if (key === 'login' && entry !== undefined) entry.login = value;
    else if (key === 'password' && entry !== undefined) entry.password = value;
    else continue;
    at += 1;
  }
  return entries.filter(({ login, password }) => login !== '' && password !== '');
}

/** The place of an entry as the guest names it, when one of the addresses is of that machine. Without a scheme it is https alone. */
function placeIn(machine: string, uris: readonly string[]): string | undefined {
  const [, scheme, rest = ''] = /^(?:([a-z]+):\/\/)?(.+)$/.exec(machine) ?? [];
  const text = `${scheme ?? 'https'}://${rest}`;
  if (!URL.canParse(text)) return undefined;
  const wanted = new URL(text);
  const isNamed = uris.some((uri) => {
    if (!URL.canParse(uri)) return false;
    const url = new URL(uri);
    return url.protocol === wanted.protocol && url.host === wanted.host;
  });
  if (!isNamed) return undefined;
  return machine.replace(wanted.hostname, hostInGuest(wanted.hostname));
}
