// Go's module proxies of this machine, in their order, and its checksum database.
import type { Findings } from './package-findings.ts';
import type { HostSettings } from './package-settings.ts';

export async function readGo(host: HostSettings, found: Findings): Promise<void> {
  const [proxies = '', sums = ''] = ((await host.run('go', ['env', 'GOPROXY', 'GOSUMDB'])) ?? '').split('\n');
  if (proxies === '') return;
  const usable = proxies.split(/([,|])/).map((part) => (/^https?:/.test(part) ? (found.url(part) ?? 'off') : part));
  const lines = [`GOPROXY=${usable.join('')}`, ...(sums === '' ? [] : [`GOSUMDB=${sums}`])];
  // A database is "off", a name, or a name with its key and, behind it, an address.
  const [name = '', address] = sums.split(' ');
  if (address !== undefined) found.url(address);
  else if (name !== '' && name !== 'off') found.url(`https://${name.split('+')[0]}`);
  found.env['GOENV'] = found.file('go.env', `${lines.join('\n')}\n`);
}
