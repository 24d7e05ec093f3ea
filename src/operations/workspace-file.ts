// workspace.file.list, read, write: files of a workspace.
import { z } from 'zod';
import type { FileWriteRequest } from '../contract/changes.ts';
import { PyroError } from '../shared/errors.ts';
import { defineOperation } from './define.ts';
import { fileText, listText, writtenText } from './model-texts.ts';
import { editsField } from './word-forms.ts';
import {
  fileListOutput,
  fileReadOutput,
  pathField,
  renderFileCommand,
  renderFileList,
} from './workspace-file-shapes.ts';
import { core, workspaceIdField, workspacesOf } from './workspace-scalars.ts';

const mostLevels = 100;

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
  input: z.strictObject({
    workspace_id: workspaceIdField,
    path: pathField.default('/workspace'),
    recursive: z.boolean().default(false).describe('List everything below'),
    depth: z
      .number()
      .int()
      .min(1)
      .max(mostLevels)
      .optional()
      .describe('Levels below the path; what the glob needs, else 1'),
    glob: z.string().min(1).max(512).optional().describe('Only paths that match, such as *.ts or src/**'),
    limit: z.number().int().min(1).max(10_000).default(100).describe('Most entries in the result'),
    cursor: z.string().optional().describe('next_cursor of an earlier call'),
  }),
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
  input: z.strictObject({
    workspace_id: workspaceIdField,
    path: pathField,
    max_bytes: z.number().int().min(1).max(1_048_576).default(65_536).describe('Most bytes in the result'),
    offset: z.number().int().min(0).optional().describe('First byte to read'),
    start_line: z.number().int().min(1).optional().describe('First line to read, from 1'),
    end_line: z.number().int().min(1).optional().describe('Last line to read'),
  }),
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
  input: z.strictObject({
    workspace_id: workspaceIdField,
    path: pathField,
    text: z.string().max(10_485_760).optional().describe('Content as text'),
    content_base64: z.base64().max(13_981_016).optional().describe('Content as base64, for what is no text'),
    append: z.boolean().default(false).describe('Add to the end of the file'),
    mode: z
      .string()
      .regex(/^[0-7]{3,4}$/, 'mode has three or four octal digits, such as 755')
      .optional()
      .describe('Permission bits, octal; an existing file keeps its own unless given'),
    old_text: z.string().min(1).optional().describe('Text to replace; needs new_text'),
    new_text: z.string().optional().describe('Text in its place'),
    expected_count: z.number().int().min(1).max(10_000).default(1).describe('How often old_text must stand there'),
    replace_all: z.boolean().default(false).describe('Replace old_text wherever it stands'),
    edits: editsField,
  }),
  output: z.object({
    workspace_id: z.string(),
    path: z.string(),
    size_bytes: z.number(),
    bytes_written: z.number(),
    replaced_count: z.number().nullable(),
    created: z.boolean(),
    execution_mode: z.literal('guest'),
  }),
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
