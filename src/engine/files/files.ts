// Files of a workspace: listed, read by range, written whole, edited in place.
import { isUtf8 } from 'node:buffer';
import type { GuestFiles } from '../../agent/file-types.ts';
import { createGuestFiles } from '../../agent/guest-files.ts';
import type {
  FileEntryView,
  FileReadRequest,
  FileReadResult,
  FileWriteRequest,
  FileWriteResult,
} from '../../contract/changes-requests.ts';
import type { WorkspaceCall } from '../../contract/workspaces-requests.ts';
import { PyroError } from '../../shared/errors.ts';
import { trailingRest } from '../output/text.ts';
import { guestPath, workspacePath } from '../workspace/guest-places.ts';
import type { Workspace } from '../workspace/workspace.ts';

export interface FileListRequest {
  readonly path: string;
  readonly depth: number;
  readonly glob: string | undefined;
  readonly limit: number;
  readonly cursor: string | undefined;
}

export async function listFiles(
  files: GuestFiles,
  request: FileListRequest,
  call: WorkspaceCall,
): Promise<{ path: string; entries: FileEntryView[]; next_cursor: string | null }> {
  const path = guestPath(request.path);
  const { glob, cursor, depth, limit } = request;
  const options = { ...(glob === undefined ? {} : { glob }), ...(cursor === undefined ? {} : { cursor }) };
  const listing = await files.list({ path, depth, limit, ...options }, call);
  return {
    path,
    entries: listing.entries.map((entry) => ({
      path: entry.path,
      artifact_type: entry.type,
      size_bytes: entry.size,
      mode: octal(entry.mode),
      modified_at: entry.mtimeMs / 1000,
      link_target: entry.linkTarget ?? null,
    })),
    next_cursor: listing.nextCursor ?? null,
  };
}

export async function readFile(
  files: GuestFiles,
  id: string,
  request: FileReadRequest,
  call: WorkspaceCall,
): Promise<FileReadResult> {
  const path = guestPath(request.path);
  const { offset, startLine, endLine } = request;
  const slice = await files.read(
    {
      path,
      length: request.maxBytes,
      ...(offset === undefined ? {} : { offset }),
      ...(startLine === undefined ? {} : { startLine }),
      ...(endLine === undefined ? {} : { endLine }),
    },
    call,
  );
  // A text file that is cut within a character is still text; a part of one character alone is none.
  const rest = slice.isCut ? trailingRest(slice.bytes) : 0;
  const whole = rest < slice.bytes.length ? slice.bytes.subarray(0, slice.bytes.length - rest) : slice.bytes;
  const isText = isUtf8(whole) && !whole.includes(0);
  const bytes = isText ? whole : slice.bytes;
  const next = slice.offset + bytes.length;
  return {
    workspace_id: id,
    path,
    size_bytes: slice.size,
    max_bytes: request.maxBytes,
    offset: slice.offset,
    next_offset: slice.isCut ? next : null,
    first_line: slice.firstLine ?? null,
    encoding: isText ? 'utf-8' : 'base64',
    content: bytes.toString(isText ? 'utf8' : 'base64'),
    truncated: slice.isCut,
    mode: octal(slice.mode),
  };
}

export async function writeFile(
  workspace: Workspace,
  request: FileWriteRequest,
  call: WorkspaceCall,
): Promise<FileWriteResult> {
  return await workspace.use(call, async ({ guest }) => {
    const path = guestPath(request.path);
    const files = createGuestFiles(guest.client);
    const { edits, content, mode, isAppend } = request;
    const common = { workspace_id: workspace.record.id, path };
    if (edits !== undefined) {
      const { size, replacedCount } = await files.replace({ path, edits }, call);
      return { ...common, size_bytes: size, bytes_written: size, replaced_count: replacedCount, created: false };
    }
    if (content === undefined) {
      throw new PyroError('usage', 'there is nothing to write', {
        hint: 'give text, content_base64, edits, or old_text with new_text',
      });
    }
    const options = { path, isAppend, ...(mode === undefined ? {} : { mode }) };
    const written = await files.write(options, Buffer.from(content), call);
    return {
      ...common,
      size_bytes: written.size,
      bytes_written: content.length,
      replaced_count: null,
      created: written.wasCreated,
    };
  });
}

/** Path of something below /workspace, relative to it. Throws `usage` for anything else. */
export function belowWorkspace(path: string): string {
  const absolute = guestPath(path);
  if (absolute === workspacePath) return '';
  if (absolute.startsWith(`${workspacePath}/`)) return absolute.slice(workspacePath.length + 1);
  throw new PyroError('usage', `${path} is not below ${workspacePath}`);
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
