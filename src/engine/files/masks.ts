// Results about files, with stars where a secret stood.
import type { GuestFiles } from '../../agent/file-types.ts';
import type { DiffResult } from '../../changes/diff-types.ts';
import type { FileListOutput, FileReadOutput } from '../../contract/files.ts';
import type { SecretSet } from '../../secrets/secret-set.ts';
import type { CallContext } from '../../shared/call-context.ts';

/**
 * A file that holds a secret is shown with stars in its place; offsets stay what they are. What stands beside the page is
 * looked at as well: a secret may be cut by its border.
 */
export async function maskContent(
  result: FileReadOutput,
  files: GuestFiles,
  secrets: SecretSet,
  call: CallContext,
): Promise<FileReadOutput> {
  if (secrets.isEmpty || result.content === '') return result;
  const coding = result.encoding === 'base64' ? 'base64' : 'utf8';
  const page = Buffer.from(result.content, coding);
  const { path, offset } = result;
  const start = Math.max(0, offset - secrets.reach);
  const before = await beside(files, { path, offset: start, length: offset - start }, call);
  const behind = await beside(files, { path, offset: offset + page.length, length: secrets.reach }, call);
  const masked = secrets.mask(Buffer.concat([before, page, behind]));
  return { ...result, content: masked.subarray(before.length, before.length + page.length).toString(coding) };
}

async function beside(
  files: GuestFiles,
  place: { readonly path: string; readonly offset: number; readonly length: number },
  call: CallContext,
): Promise<Buffer> {
  if (place.length === 0) return Buffer.alloc(0);
  try {
    return (await files.read(place, call)).bytes;
  } catch {
    call.signal.throwIfAborted();
    // There is nothing beside it, or the file has changed: the page itself is masked all the same.
    return Buffer.alloc(0);
  }
}

export function maskListing(listing: FileListOutput, secrets: SecretSet): FileListOutput {
  if (secrets.isEmpty) return listing;
  const entries = listing.entries.map((entry) => ({
    ...entry,
    path: secrets.maskText(entry.path),
    link_target: entry.link_target === null ? null : secrets.maskText(entry.link_target),
  }));
  return { ...listing, entries };
}

/** A diff is kept in files, which must not have a secret in the name of a path either. */
export function maskDiff(diff: DiffResult, secrets: SecretSet): DiffResult {
  if (secrets.isEmpty) return diff;
  const entries = diff.entries.map((entry) => ({
    ...entry,
    path: secrets.maskText(entry.path),
    old_path: entry.old_path === null ? null : secrets.maskText(entry.old_path),
  }));
  return { ...diff, entries };
}
