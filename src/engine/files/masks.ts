// Results about files, with stars where a secret stood.
import type { DiffResult } from '../../changes/diff-types.ts';
import type { FileListOutput, FileReadOutput } from '../../contract/files.ts';
import type { SecretSet } from '../../secrets/secret-set.ts';

/** A file that holds a secret is shown with stars in its place; offsets stay what they are. */
export function maskContent(result: FileReadOutput, secrets: SecretSet): FileReadOutput {
  if (secrets.isEmpty) return result;
  const coding = result.encoding === 'base64' ? 'base64' : 'utf8';
  return { ...result, content: secrets.mask(Buffer.from(result.content, coding)).toString(coding) };
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
