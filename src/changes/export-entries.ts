// The entries of a guest's archive, checked one by one: only what may stand below a folder of the host comes through.
import { deepestPath } from '../agent/file-messages.ts';
import { type GuestEntry, readGuestTar } from '../agent/guest-tar.ts';
import { PyroError } from '../shared/errors.ts';
import { formatBytes, mebibyte } from '../shared/units.ts';
import { pathKey } from './git-paths.ts';

type TarType = Exclude<GuestEntry['type'], 'other'>;

export interface ExportEntry {
  /** Parts of the path below the exported one; none for itself */
  readonly parts: readonly Buffer[];
  readonly type: TarType;
  /** Permission bits without setuid, setgid and sticky */
  readonly mode: number;
  readonly size: number;
  /** Target of a symbolic link, or the parts of an earlier file for a hard link */
  readonly linkTarget: Buffer;
  readonly linkParts: readonly Buffer[];
  readonly content: () => AsyncIterable<Buffer>;
}

export interface ExportRules {
  readonly hasGit: boolean;
  /** True when folders named .git are told as left out, too: the guest was asked for no more than their names */
  readonly tellsGit: boolean;
  /** Room on the host's disk, `bytes` and files */
  readonly room: { readonly bytes: number; readonly files: number };
  readonly onSkipped: (path: string, reason: string) => void;
  readonly signal: AbortSignal;
}

export const longestName = 255;
export const longestPath = 4096;
/** Most that all paths of an export may have together, `bytes` */
export const mostPathBytes: number = 256 * mebibyte;
const bytesPerEntry = 512;
const slash = Buffer.from('/');

/** Throws `export_refused` for a hostile entry and `disk_full` before the disk is. */
export async function* checkedEntries(
  source: AsyncIterable<Uint8Array>,
  rules: ExportRules,
): AsyncGenerator<ExportEntry> {
  const kinds = new Map<string, TarType>();
  let bytes = 0;
  let pathBytes = 0;
  for await (const entry of readGuestTar(source)) {
    rules.signal.throwIfAborted();
    const shown = JSON.stringify(entry.path.toString('utf8').slice(0, 300));
    const parts = split(entry.path, shown);
    if (!rules.hasGit && parts.some(isGitName)) {
      if (rules.tellsGit || parts.at(-1)?.toString('latin1') !== '.git')
        rules.onSkipped(entry.path.toString('utf8'), "Git's own folder was not requested");
      continue;
    }
    if (entry.type === 'other') {
      rules.onSkipped(entry.path.toString('utf8'), 'is a device, a socket or a pipe');
      continue;
    }
    checkPlace(kinds, parts, entry.type, shown);
    const linkParts = entry.type === 'link' ? split(entry.linkTarget, shown) : [];
    if (entry.type === 'link' && kinds.get(keyOf(linkParts)) !== 'file')
      throw refused(shown, 'is a hard link to something that is not a file in this export');
    if (entry.type === 'symlink') checkTarget(entry.linkTarget, shown);
    // A hard link is as good as the file it names.
    kinds.set(keyOf(parts), entry.type === 'link' ? 'file' : entry.type);
    bytes += entry.size + bytesPerEntry;
    pathBytes += entry.path.length;
    if (pathBytes > mostPathBytes) throw refused(shown, `is one path too many: all have ${formatBytes(mostPathBytes)}`);
    if (bytes > rules.room.bytes || kinds.size > rules.room.files) throw diskFull(rules, bytes);
    const { type, size, linkTarget, content } = entry;
    yield { parts, type, mode: entry.mode & 0o777, size, linkTarget, linkParts, content };
  }
}

/** Nothing may stand twice, and nothing below what is not a folder: a link made by the archive itself leads nowhere. */
function checkPlace(kinds: Map<string, TarType>, parts: readonly Buffer[], type: TarType, shown: string): void {
  const root = kinds.get('');
  if (parts.length > 0 && root !== undefined && root !== 'directory')
    throw refused(shown, 'is below something that is not a folder');
  // Above a folder that is known, all are: a path of very many folders is not looked up whole for each of its files.
  for (let depth = parts.length - 1; depth > 0; depth--) {
    const key = keyOf(parts.slice(0, depth));
    const kind = kinds.get(key);
    if (kind === 'directory') break;
    if (kind !== undefined) throw refused(shown, 'is below something that is not a folder');
    kinds.set(key, 'directory');
  }
  if (parts.length > 0 && root === undefined) kinds.set('', 'directory');
  const known = kinds.get(keyOf(parts));
  if (known !== undefined && !(known === 'directory' && type === 'directory')) throw refused(shown, 'appears twice');
}

function split(path: Buffer, shown: string): Buffer[] {
  if (path.includes(0)) throw refused(shown, 'has a zero byte');
  if (path[0] === 0x2f) throw refused(shown, 'is absolute');
  if (path.length > longestPath) throw refused(shown, `is longer than ${longestPath} bytes`);
  const parts = path
    .toString('latin1')
    .split('/')
    .filter((part) => part !== '' && part !== '.');
  if (parts.length > deepestPath) throw refused(shown, `goes through more than ${deepestPath} folders`);
  if (parts.includes('..')) throw refused(shown, 'leads out of the export');
  if (parts.some((part) => part.length > longestName))
    throw refused(shown, `has a name longer than ${longestName} bytes`);
  return parts.map((part) => Buffer.from(part, 'latin1'));
}

function checkTarget(target: Buffer, shown: string): void {
  if (target.length === 0 || target.length >= longestPath || target.includes(0))
    throw refused(shown, 'is a link with an impossible target');
}

function isGitName(part: Buffer): boolean {
  return part.length === 4 && part.toString('latin1').toLowerCase() === '.git';
}

function keyOf(parts: readonly Buffer[]): string {
  return parts.map(pathKey).join('/');
}

/** A path of the host below `root`, as bytes. */
export function hostPath(root: string, parts: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(root), ...parts.flatMap((part) => [slash, part])]);
}

function refused(shown: string, why: string): PyroError {
  return new PyroError('export_refused', `the guest's entry ${shown} ${why}`, {
    hint: 'nothing was written; export a folder without it',
  });
}

function diskFull(rules: ExportRules, bytes: number): PyroError {
  return new PyroError(
    'disk_full',
    `the export needs at least ${formatBytes(bytes)}, but only ${formatBytes(rules.room.bytes)} are free there`,
    { hint: 'nothing was written; export a smaller path or free some space' },
  );
}
