// What belongs into the configuration of a host, to read or to paste.
import type { ConfigSnippet, HostConnectInput } from '../contract/machine.ts';
import { serverName } from './adapter.ts';
import { adapterOf } from './adapter-of.ts';
import { placeIn } from './connect.ts';
import { editorFor } from './editors.ts';
import { chooseLauncher } from './launcher.ts';
import { serverCommand } from './server-command.ts';

export async function printConfig(input: HostConnectInput, folder: string): Promise<ConfigSnippet> {
  const adapter = await adapterOf(input.host);
  const scope = input.scope ?? adapter.defaultScope;
  const place = await placeIn(adapter, scope, folder);
  const command = serverCommand(await chooseLauncher(input.npx), input, folder);
  const wish = { command, isNpx: command[0] === 'npx', isApproved: input.approve };
  // Nothing of the user's file is in a snippet, nor the names above it that depend on the project.
  const path = [...place.table.slice(-1), serverName];
  const words = adapter.addArguments?.(command, scope);
  return {
    host: adapter.name,
    config_file: place.path,
    format: place.format,
    snippet: editorFor(place.format).setFields('', path, adapter.fields(wish, undefined)),
    host_command: words === undefined ? null : [adapter.program, ...words].map(quote).join(' '),
  };
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
