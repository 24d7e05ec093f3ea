// Files of a workspace: listed, read by range, written whole, edited in place.
import { isUtf8 } from 'node:buffer';
import type { GuestFiles, TextEdit } from '../../agent/file-types.ts';
import { createGuestFiles } from '../../agent/guest-files.ts';
import {
  type FileListInput,
  type FileListOutput,
  type FileReadInput,
  type FileReadOutput,
  type FileWriteInput,
  type FileWriteOutput,
  mostLevels,
} from '../../contract/files.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { PyroError } from '../../shared/errors.ts';
import { trailingRest } from '../output/text.ts';
import { guestPath, workspacePath } from '../workspace/guest-places.ts';
import type { Workspace } from '../workspace/workspace.ts';

type Wanted<T, K extends keyof T> = Omit<T, K> & Partial<Pick<T, K>>;

export async function listFiles(
  files: GuestFiles,
  input: Wanted<FileListInput, 'depth' | 'glob'>,
  call: CallContext,
): Promise<FileListOutput> {
  const path = guestPath(input.path);
  const { glob, cursor, limit, recursive } = input;
  const depth = recursive ? mostLevels : (input.depth ?? levelsOf(glob));
  const options = { ...(glob === undefined ? {} : { glob }), ...(cursor === undefined ? {} : { cursor }) };
  const listing = await files.list({ path, depth, limit, ...options }, call);
  return {
    workspace_id: input.workspace_id,
    path,
    recursive,
    entries: listing.entries.map((entry) => ({
      path: entry.path,
      artifact_type: entry.type,
      size_bytes: entry.size,
      mode: octal(entry.mode),
      modified_at: entry.mtimeMs / 1000,
      link_target: entry.linkTarget ?? null,
    })),
    next_cursor: listing.nextCursor ?? null,
    execution_mode: 'guest',
  };
}

/** How deep a pattern may match: a slash or two stars mean what is below. */
function levelsOf(glob = ''): number {
  return glob.includes('**') ? mostLevels : Math.min(mostLevels, glob.split('/').length);
}

export async function readFile(
  files: GuestFiles,
  input: Wanted<FileReadInput, 'start_line' | 'end_line'>,
  call: CallContext,
): Promise<FileReadOutput> {
  const path = guestPath(input.path);
  const { offset, start_line: startLine, end_line: endLine, max_bytes } = input;
  if (offset !== undefined && (startLine !== undefined || endLine !== undefined)) {
    throw new PyroError('usage', 'offset counts bytes, start_line and end_line count lines: give one or the other');
  }
  const slice = await files.read(
    {
      path,
      length: max_bytes,
      ...(offset === undefined ? {} : { offset }),
      ...(startLine === undefined ? {} : { startLine }),
      ...(endLine === undefined ? {} : { endLine }),
    },
    call,
  );
  // A text file that is cut within a character is still text; a lone part of a character is not.
  const rest = slice.isCut ? trailingRest(slice.bytes) : 0;
  const whole = rest < slice.bytes.length ? slice.bytes.subarray(0, slice.bytes.length - rest) : slice.bytes;
  const isText = isUtf8(whole) && !whole.includes(0);
  const bytes = isText ? whole : slice.bytes;
  const next = slice.offset + bytes.length;
  return {
    workspace_id: input.workspace_id,
    path,
    size_bytes: slice.size,
    max_bytes,
    offset: slice.offset,
    next_offset: slice.isCut ? next : null,
    first_line: slice.firstLine ?? null,
    encoding: isText ? 'utf-8' : 'base64',
    content: bytes.toString(isText ? 'utf8' : 'base64'),
    truncated: slice.isCut,
    mode: octal(slice.mode),
    execution_mode: 'guest',
  };
}

export async function writeFile(
  workspace: Workspace,
  input: FileWriteInput,
  call: CallContext,
): Promise<FileWriteOutput> {
  const { text, content_base64: base64, append: isAppend, mode } = input;
  const given = [text, base64, input.old_text, input.edits].filter((each) => each !== undefined).length;
  if (given !== 1 || (input.old_text === undefined) !== (input.new_text === undefined)) {
    throw new PyroError('usage', 'give exactly one of: text, content_base64, old_text with new_text, edits', {
      hint: 'for two or more replacements: edits [{"old_text":"x = 1","new_text":"x = 2"}]',
    });
  }
  const edits = editsOf(input);
  if (edits !== undefined && (isAppend || mode !== undefined)) {
    throw new PyroError('usage', 'append and mode go with text or content_base64, not with replacements', {
      hint: 'leave them out: an edited file keeps its mode',
    });
  }
  return await workspace.use(call, async ({ guest }) => {
    const path = guestPath(input.path);
    const files = createGuestFiles(guest.client);
    const common = { workspace_id: workspace.record.id, path, execution_mode: 'guest' } as const;
    if (edits !== undefined) {
      const { size, replacedCount } = await files.replace({ path, edits }, call);
      return { ...common, size_bytes: size, bytes_written: size, replaced_count: replacedCount, created: false };
    }
    const content = text === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(text);
    const options = { path, isAppend, ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }) };
    const written = await files.write(options, content, call);
    return {
      ...common,
      size_bytes: written.size,
      bytes_written: content.length,
      replaced_count: null,
      created: written.wasCreated,
    };
  });
}

/** The replacements, in order; undefined where the whole content is given. */
function editsOf(input: FileWriteInput): TextEdit[] | undefined {
  const { old_text: oldText, new_text: newText } = input;
  if (oldText !== undefined && newText !== undefined) {
    return [{ oldText, newText, expectedCount: input.replace_all ? undefined : input.expected_count }];
  }
  return input.edits?.map((edit) => ({
    oldText: edit.old_text,
    newText: edit.new_text,
    expectedCount: edit.replace_all === true ? undefined : 1,
  }));
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
