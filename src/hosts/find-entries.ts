// Every entry that a host would find, in the order in which they win, and what keeps a file from being read.
import { isPyroError } from '../shared/errors.ts';
import { type ConfigPlace, type HostAdapter, type ServerEntry, serverName } from './adapter.ts';
import { type ConfigFile, readConfigFile } from './config-file.ts';
import type { TextFault } from './document.ts';
import { editorFor } from './editors.ts';

export interface FoundEntry {
  readonly place: ConfigPlace;
  /** Undefined when it is nothing that a host can start */
  readonly entry: ServerEntry | undefined;
  readonly isRepeated: boolean;
  /** Other servers of the same table, by name */
  readonly others: ReadonlyMap<string, ServerEntry>;
}

export interface FoundFile {
  readonly place: ConfigPlace;
  /** Undefined when it cannot be read */
  readonly file: ConfigFile | undefined;
  readonly trouble: string | undefined;
  readonly fault: TextFault | undefined;
}

export async function findFiles(adapter: HostAdapter, folder: string): Promise<FoundFile[]> {
  return await Promise.all((await adapter.places(folder)).map(look));
}

async function look(place: ConfigPlace): Promise<FoundFile> {
  try {
    const file = await readConfigFile(place.path, 0o600);
    return { place, file, trouble: undefined, fault: editorFor(place.format).faultOf(file.text) };
  } catch (error) {
    if (!isPyroError(error, 'path_not_writable') && !isPyroError(error, 'host_config_invalid')) throw error;
    return { place, file: undefined, trouble: error.message, fault: undefined };
  }
}

export function entriesIn(adapter: HostAdapter, files: readonly FoundFile[]): FoundEntry[] {
  return files.flatMap(({ place, file, fault }) => {
    if (file === undefined || !file.exists || fault !== undefined) return [];
    const editor = editorFor(place.format);
    const table = editor.valueAt(file.text, place.table);
    const servers = typeof table === 'object' && table !== null ? Object.entries(table) : [];
    const own = servers.find(([name]) => name === serverName);
    if (own === undefined) return [];
    const others = servers
      .filter(([name]) => name !== serverName)
      .flatMap(([name, raw]): [string, ServerEntry][] => {
        const entry = adapter.readEntry(raw);
        return entry === undefined ? [] : [[name, entry]];
      });
    return [
      {
        place,
        entry: adapter.readEntry(own[1]),
        isRepeated: editor.isRepeated(file.text, [...place.table, serverName]),
        others: new Map(others),
      },
    ];
  });
}

/** The bits a configuration must have, and those it must not: who may write it decides what the host starts. */
export function mendedMode(mode: number): number {
  return (mode | 0o600) & ~0o002;
}
