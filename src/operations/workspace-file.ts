// workspace.file.list, read, write: files of a workspace.

import type { z } from 'zod';
import type { FileWriteRequest } from '../contract/changes-requests.ts';
import {
  fileListInput,
  fileListOutput,
  fileReadInput,
  fileReadOutput,
  fileWriteInput,
  fileWriteOutput,
  mostLevels,
} from '../contract/files.ts';
import type { editsField } from '../contract/word-forms.ts';
import { PyroError } from '../shared/errors.ts';
import { defineOperation } from './define.ts';
import { fileText, listText, writtenText } from './model-texts.ts';
import { renderFileCommand, renderFileList } from './workspace-file-shapes.ts';
import { core, workspacesOf } from './workspace-scalars.ts';

export const workspaceFileList = defineOperation({
  name: 'workspace.file.list',
  title: 'List files',
  summary: 'List files of a workspace',
  details: 'Folders are listed without their contents unless recursive, a depth or a glob with a slash is given.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: core, isIdempotent: true, silentFields: ['workspace_id', 'path', 'recursive'] },
  findsWorkspace: true,
  positionals: ['workspace_id', 'path'],
  input: fileListInput,
  output: fileListOutput,
  examples: [
    { why: 'What is in /workspace', command: 'pyro workspace file list 6f1e538c0e71' },
    { why: 'What is in one folder', command: "pyro workspace file list 6f1e538c0e71 --glob 'src/*.{ts,tsx}'" },
    { why: 'All Go files', command: "pyro workspace file list 6f1e538c0e71 --recursive --glob '*.go'" },
  ],
  run: async (context, input) => {
    const { workspace_id, path, recursive, glob, limit, cursor } = input;
    const depth = recursive ? mostLevels : (input.depth ?? levelsOf(glob));
    const request = { path, depth, glob, limit, cursor };
    const listed = await workspacesOf(context).fileList(workspace_id, request, context);
    return { workspace_id, recursive, ...listed, execution_mode: 'guest' as const };
  },
  render: renderFileList,
  renderModel: listText,
});

/** How deep a pattern may match: whoever writes a slash or two stars means what lies below. */
function levelsOf(glob = ''): number {
  return glob.includes('**') ? mostLevels : Math.min(mostLevels, glob.split('/').length);
}

export const workspaceFileRead = defineOperation({
  name: 'workspace.file.read',
  title: 'Read a file',
  summary: 'Read a file of a workspace, or a part of it',
  details:
    'By byte offset, or by lines. A file that is no text comes as base64. next_offset is where to go on, null at the end.',
  effect: 'read',
  place: 'daemon',
  tool: {
    profiles: core,
    isIdempotent: true,
    isAlwaysLoaded: true,
    resultChars: 100_000,
    silentFields: ['workspace_id', 'path', 'max_bytes'],
  },
  commandDefaults: { max_bytes: 1_048_576 },
  findsWorkspace: true,
  positionals: ['workspace_id', 'path'],
  input: fileReadInput,
  output: fileReadOutput,
  examples: [
    { why: 'Print a file', command: 'pyro workspace file read 6f1e538c0e71 README.md' },
    { why: 'Some lines', command: 'pyro workspace file read 6f1e538c0e71 src/a.c --start-line 10 --end-line 20' },
  ],
  run: async (context, input) => {
    const { offset, start_line: startLine, end_line: endLine } = input;
    if (offset !== undefined && (startLine !== undefined || endLine !== undefined)) {
      throw new PyroError('usage', 'offset counts bytes, start_line and end_line count lines: give one of the two');
    }
    const request = { path: input.path, maxBytes: input.max_bytes, offset, startLine, endLine };
    return {
      ...(await workspacesOf(context).fileRead(input.workspace_id, request, context)),
      execution_mode: 'guest' as const,
    };
  },
  render: fileText,
  renderCommand: renderFileCommand,
});

export const workspaceFileWrite = defineOperation({
  name: 'workspace.file.write',
  title: 'Write or edit a file',
  summary: 'Write a file of a workspace, or replace text in it',
  details:
    'Give text or content_base64 for the whole content; or old_text with new_text, or edits, to replace text. The file appears whole, keeps its mode, and missing folders are made.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles: core, isAlwaysLoaded: true, silentFields: ['workspace_id', 'path', 'bytes_written'] },
  findsWorkspace: true,
  positionals: ['workspace_id', 'path'],
  inputField: { field: 'content_base64', isBase64: true, unless: ['text', 'content_base64', 'old_text', 'edits'] },
  input: fileWriteInput,
  output: fileWriteOutput,
  examples: [
    { why: 'A new file', command: "pyro workspace file write 6f1e538c0e71 hello.txt --text 'hello'" },
    { why: 'A file of the host', command: 'pyro workspace file write 6f1e538c0e71 logo.png < logo.png' },
    {
      why: 'An edit',
      command: "pyro workspace file write 6f1e538c0e71 a.py --old-text 'x = 1' --new-text 'x = 2'",
    },
    {
      why: 'Two edits, both or none',
      command:
        'pyro workspace file write 6f1e538c0e71 a.py --edit \'{"old_text":"x","new_text":"y"}\' --edit \'{"old_text":"1","new_text":"2"}\'',
    },
  ],
  run: async (context, input) => {
    const { text, content_base64: base64, old_text: oldText, new_text: newText } = input;
    const given = [text, base64, oldText, input.edits].filter((each) => each !== undefined).length;
    if (given !== 1 || (oldText === undefined) !== (newText === undefined)) {
      throw new PyroError('usage', 'give exactly one of: text, content_base64, old_text with new_text, edits', {
        hint: 'for two or more replacements: edits [{"old_text":"x = 1","new_text":"x = 2"}]',
      });
    }
    const edits = editsOf(input);
    if (edits !== undefined && (input.append || input.mode !== undefined)) {
      throw new PyroError('usage', 'append and mode go with text or content_base64, not with replacements', {
        hint: 'leave them out: an edited file keeps its mode',
      });
    }
    const content =
      text !== undefined ? Buffer.from(text) : base64 === undefined ? undefined : Buffer.from(base64, 'base64');
    const mode = input.mode === undefined ? undefined : Number.parseInt(input.mode, 8);
    const request = { path: input.path, content, isAppend: input.append, mode, edits };
    return {
      ...(await workspacesOf(context).fileWrite(input.workspace_id, request, context)),
      execution_mode: 'guest' as const,
    };
  },
  render: (output) =>
    `${output.path}: ${output.created ? 'created' : 'written'}, ${output.size_bytes} bytes${output.replaced_count === null ? '' : `, ${output.replaced_count} replaced`}\n`,
  renderModel: writtenText,
});

interface ReplacementInput {
  readonly old_text?: string | undefined;
  readonly new_text?: string | undefined;
  readonly expected_count: number;
  readonly replace_all: boolean;
  readonly edits?: z.infer<typeof editsField>;
}

/** The replacements, in order; undefined where the whole content is given. */
function editsOf({ old_text: oldText, new_text: newText, ...input }: ReplacementInput): FileWriteRequest['edits'] {
  if (oldText !== undefined && newText !== undefined) {
    return [{ oldText, newText, expectedCount: input.replace_all ? undefined : input.expected_count }];
  }
  return input.edits?.map((edit) => ({
    oldText: edit.old_text,
    newText: edit.new_text,
    expectedCount: edit.replace_all === true ? undefined : 1,
  }));
}
