// workspace.copy: files and folders between this machine and a workspace, as people know it from other tools.

import { copyInput, copyOutput } from '../contract/files.ts';
import { formatBytes, formatCount } from '../shared/units.ts';
import { visible } from '../shared/visible.ts';
import { defineOperation } from './define.ts';
import { workspacesOf } from './workspace-scalars.ts';

export const workspaceCopy = defineOperation({
  name: 'workspace.copy',
  title: 'Copy files',
  summary: 'Copy a file or folder into or out of a workspace',
  details:
    'One side is ID:path, where ID is an id, the start of one or a name; :path means the workspace created from this folder. The other is a path here, or - for a single file on standard input or output. Relative guest paths are below /workspace. If the target is a folder or ends in a slash, the copy goes into it; a source that ends in /. means the contents of the folder. Folders are copied whole, with what Git ignores, except folders named .git, sockets, pipes and devices, which are listed. Existing files are replaced, each atomically; other files in a folder stay, and a file never replaces a folder or a folder a file. If the target itself is a link to a file, it is followed, as cp does; all other links are replaced. Write a host path with a colon in its first part as ./a:b.',
  effect: 'destroy',
  place: 'daemon',
  isLive: true,
  terminal: 'never',
  placeFields: ['source', 'target'],
  short: 'cp',
  positionals: ['source', 'target'],
  input: copyInput,
  output: copyOutput,
  examples: [
    { why: 'A file out of it', command: 'pyro cp 6f1e538c0e71:build/report.html .' },
    { why: 'A folder into the workspace of this checkout', command: 'pyro cp fixtures :test/' },
    { why: 'One file through a pipe', command: 'pyro cp bug:/var/log/dpkg.log - | gzip > dpkg.log.gz' },
    { why: 'What is in a folder', command: 'pyro cp bug:dist/. public' },
  ],
  run: async (context, input) => await workspacesOf(context).copy(input, context),
  render: (output) => {
    const { entry_count: count, written_count: written } = output;
    const entries = formatCount(count, 'entry', 'entries');
    const wrote = written === count ? entries : `${written} of ${entries}, the others were the same`;
    return `${visible(output.source)} -> ${visible(output.target)}: ${wrote}, ${formatBytes(output.bytes_written)}\n${output.skipped.map(({ path, status }) => `left out ${visible(path)}: ${status}\n`).join('')}`;
  },
});
