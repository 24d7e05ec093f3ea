// workspace.file.list, read, write: files of a workspace.

import {
  fileListInput,
  fileListOutput,
  fileReadInput,
  fileReadOutput,
  fileWriteInput,
  fileWriteOutput,
} from '../contract/files.ts';
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
  run: async (context, input) => await workspacesOf(context).fileList(input, context),
  render: renderFileList,
  renderModel: listText,
});

export const workspaceFileRead = defineOperation({
  name: 'workspace.file.read',
  title: 'Read a file',
  summary: 'Read a file of a workspace, or a part of it',
  details:
    'By byte offset, or by lines. A binary file comes as base64. next_offset is where to continue, null at the end.',
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
  showsContent: true,
  findsWorkspace: true,
  positionals: ['workspace_id', 'path'],
  input: fileReadInput,
  output: fileReadOutput,
  examples: [
    { why: 'Print a file', command: 'pyro workspace file read 6f1e538c0e71 README.md' },
    { why: 'Some lines', command: 'pyro workspace file read 6f1e538c0e71 src/a.c --start-line 10 --end-line 20' },
  ],
  run: async (context, input) => await workspacesOf(context).fileRead(input, context),
  render: fileText,
  renderCommand: renderFileCommand,
});

export const workspaceFileWrite = defineOperation({
  name: 'workspace.file.write',
  title: 'Write or edit a file',
  summary: 'Write a file of a workspace, or replace text in it',
  details:
    'Give text or content_base64 for the whole content; or old_text with new_text, or edits, to replace text. The file is written atomically and keeps its mode; missing folders are created.',
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
    { why: 'A file from the host', command: 'pyro workspace file write 6f1e538c0e71 logo.png < logo.png' },
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
  run: async (context, input) => await workspacesOf(context).fileWrite(input, context),
  render: (output) =>
    `${output.path}: ${output.created ? 'created' : 'written'}, ${output.size_bytes} bytes${output.replaced_count === null ? '' : `, ${output.replaced_count} replaced`}\n`,
  renderModel: writtenText,
});
