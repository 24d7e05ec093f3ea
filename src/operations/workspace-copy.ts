// workspace.copy: files and folders between this machine and a workspace, as people know it from other tools.

import { copyInput, copyOutput } from '../contract/files.ts';
import { formatBytes, formatCount } from '../shared/units.ts';
import { visible } from '../shared/visible.ts';
import { defineOperation } from './define.ts';
import { workspacesOf } from './workspace-scalars.ts';

export const workspaceCopy = defineOperation({
  name: 'workspace.copy',
  title: 'Copy files',
  summary: 'Copy a file or a folder into a workspace or out of it',
  details:
    'One side is ID:path, where ID is an id, the beginning of one or a name, and :path is meant of the workspace that came from this folder; the other is a path here, or - for one file by standard input or output. Relative paths of the guest are below /workspace. A target that is a folder, or ends in a slash, takes what comes below it; a source that ends in /. is what is in the folder. Folders go whole, also what Git ignores, but for folders named .git, sockets, pipes and devices, which are named. Files that stand there are replaced, each at once; other files of a folder stay, and nothing takes the place of another kind, a folder of a file or a file of a folder. A link to a file that is itself the target is followed, as cp does; all others are replaced. A host path with a colon in its first part is written ./a:b.',
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
