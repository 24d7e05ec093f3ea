// The page of limits: what a guest, a project or an image can make large, how large, and what is said beyond it. Each number is the code's own.
import { longestAnswer } from '../src/agent/answers.ts';
import { longestFrame as longestChangeFrame, mostRecords } from '../src/agent/changes-decoder.ts';
import { deepestPath, longestPath } from '../src/agent/file-messages.ts';
import { longestFrame } from '../src/agent/frames.ts';
import { longestListing } from '../src/agent/guest-files.ts';
import { mostExtra, mostExtraBytes } from '../src/agent/guest-trees.ts';
import { largestCounted, largestPatched, mostCounted } from '../src/changes/diff.ts';
import { longestName, mostPathBytes as mostExportPathBytes } from '../src/changes/export-entries.ts';
import { mostFiles } from '../src/changes/export-place.ts';
import { longestRules, mostRules } from '../src/changes/ignored.ts';
import { mostPathBytes, mostPaths } from '../src/changes/listed-changes.ts';
import { patchApplyInput } from '../src/contract/changes.ts';
import { fileReadInput, mostLevels } from '../src/contract/files.ts';
import { usualLimits } from '../src/engine/commands/command-log.ts';
import { deadlineFor } from '../src/engine/jobs/job.ts';
import { jobLimits } from '../src/engine/jobs/job-process.ts';
import { mostJobs, mostJobsOfOwner } from '../src/engine/jobs/job-processes.ts';
import { longestDrawMs, mostColouredCells } from '../src/engine/output/terminal-emulator.ts';
import { mostServices } from '../src/engine/services/services.ts';
import { drawnBytes } from '../src/engine/shells/shell-read.ts';
import { mostShells } from '../src/engine/shells/shells.ts';
import { mostSnapshots } from '../src/engine/workspace/snapshots.ts';
import { longestLayer } from '../src/environment/layer-reader.ts';
import { longestPath as longestImagePath, mostEntries } from '../src/environment/layer-tree.ts';
import { defaultLimits } from '../src/network/limits.ts';
import { longestSecret } from '../src/secrets/forms.ts';
import { mostSecrets } from '../src/secrets/secret-set.ts';
import type { ErrorCodeName } from '../src/shared/error-codes.ts';
import { formatBytes, mebibyte } from '../src/shared/units.ts';

interface Limit {
  readonly what: string;
  readonly bytes: string;
  readonly entries: string;
  readonly depth: string;
  /** What is said beyond it; nothing where the rest is left out, cut or paged */
  readonly error: ErrorCodeName | undefined;
  readonly wayOn: string;
}

const count = (number: number): string => number.toLocaleString('en');
const depth = `${count(deepestPath)} folders`;
const longest = `${count(longestPath)} for each path`;
const readMost = fileReadInput.shape.max_bytes.unwrap().maxValue ?? 0;
const patchMost = patchApplyInput.shape.patch.maxLength ?? 0;

const limits: readonly Limit[] = [
  {
    what: 'Changed paths of a diff, a summary, an apply or a patch',
    bytes: `${formatBytes(mostPathBytes)} of paths, ${longest}`,
    entries: count(mostPaths),
    depth,
    error: 'diff_too_large',
    wayOn: 'give a path to compare less, or export the files',
  },
  {
    what: 'Contents in a diff',
    bytes: `${formatBytes(largestPatched)} for one file, all together a third of the free room of the disk`,
    entries: 'as above',
    depth: 'as above',
    error: 'disk_full',
    wayOn: 'one larger file is named and left out; free some room, or give a path',
  },
  {
    what: 'Contents whose lines are counted without a patch',
    bytes: `${formatBytes(largestCounted)} for one file, ${formatBytes(mostCounted)} together`,
    entries: 'as above',
    depth: 'as above',
    error: undefined,
    wayOn: 'the others are named with their sizes',
  },
  {
    what: 'Ignore rules of the project in the guest',
    bytes: `${formatBytes(longestRules)} for one file, ${formatBytes(mostRules)} together`,
    entries: 'as above',
    depth: 'as above',
    error: undefined,
    wayOn: 'rules beyond that are not followed: nothing is left out for them',
  },
  {
    what: 'What a guest tells of changes',
    bytes: `${formatBytes(longestChangeFrame)} for one frame`,
    entries: count(mostRecords),
    depth,
    error: 'guest_protocol',
    wayOn: 'only a damaged or hostile guest sends more: reset it, or delete it',
  },
  {
    what: 'A page of a listing',
    bytes: formatBytes(longestListing),
    entries: '10,000',
    depth: `${count(mostLevels)} levels`,
    error: undefined,
    wayOn: 'go on with the cursor',
  },
  {
    what: 'A read of a file',
    bytes: formatBytes(readMost),
    entries: '1',
    depth,
    error: undefined,
    wayOn: 'go on at next_offset',
  },
  {
    what: 'An export or a copy out of a guest',
    bytes: `the free room of the place; ${formatBytes(mostExportPathBytes)} of paths, ${longest}, ${longestName} for each name`,
    entries: count(mostFiles),
    depth,
    error: 'export_refused',
    wayOn: 'export a smaller path, or make an archive in the guest and export that; disk_full where room is short',
  },
  {
    what: 'What a guest has beside the files of a sync',
    bytes: `${formatBytes(mostExtraBytes)} of paths`,
    entries: count(mostExtra),
    depth,
    error: 'guest_protocol',
    wayOn: 'sync into a smaller folder',
  },
  {
    what: 'A patch',
    bytes: formatBytes(patchMost),
    entries: count(mostPaths),
    depth,
    error: 'usage',
    wayOn: 'apply it in parts, or copy it into the guest and apply it there with Git',
  },
  {
    what: 'Any other answer of a guest',
    bytes: `${formatBytes(longestAnswer)}; ${formatBytes(longestFrame)} for one frame of output`,
    entries: 'by its schema',
    depth: 'by its schema',
    error: 'guest_protocol',
    wayOn: 'only a damaged or hostile guest sends more: reset it, or delete it',
  },
  {
    what: 'Kept output of the commands of a workspace',
    bytes: formatBytes(usualLimits.outputBytes),
    entries: `${count(usualLimits.commands)} commands`,
    depth: '–',
    error: undefined,
    wayOn: 'the oldest that have ended go first; `logs` says how many went',
  },
  {
    what: 'The screen of a shell, and its output as plain text',
    bytes: `the newest ${formatBytes(drawnBytes)}`,
    entries: `${longestDrawMs / 1000} s of drawing; colours of ${count(mostColouredCells)} cells`,
    depth: '–',
    error: 'work_too_large',
    wayOn: 'read the raw output, less at a time, or resize the shell to fewer columns and rows',
  },
  {
    what: 'Work on the files of a guest, each call in a process of its own',
    bytes: `${formatBytes(jobLimits.memoryMib * mebibyte)} of memory, ${formatBytes(jobLimits.groupMib * mebibyte)} with its programs`,
    entries: `${mostJobs} at a time, ${mostJobsOfOwner} for one workspace; ${jobLimits.processCount} processes each`,
    depth: '–',
    error: 'work_too_large',
    wayOn: 'others wait in line; give a narrower path',
  },
  {
    what: 'Time of that work',
    bytes: `${deadlineFor(0) / 1000} s, and 1 s more for each 8 MiB of the disk (${Math.round(deadlineFor(8192) / 1000)} s for 8 GiB)`,
    entries: '–',
    depth: '–',
    error: 'deadline_exceeded',
    wayOn: 'give a narrower path, or look whether the guest answers',
  },
  {
    what: 'Connections of a guest to the network',
    bytes: 'what is read at the other end',
    entries: `${defaultLimits.mostOpen} open, ${defaultLimits.perSecond} new ones a second after a burst of ${defaultLimits.burst}`,
    depth: '–',
    error: undefined,
    wayOn: 'the connection is refused and logged',
  },
  {
    what: 'Shells, services, snapshots and secrets of a workspace',
    bytes: `${formatBytes(longestSecret)} for one secret`,
    entries: `${mostShells}, ${mostServices}, ${mostSnapshots}, ${mostSecrets}`,
    depth: '–',
    error: 'usage',
    wayOn: 'close, stop or delete some',
  },
  {
    what: 'An image',
    bytes: `${formatBytes(longestLayer)} for one layer, ${count(longestImagePath)} bytes for each path`,
    entries: count(mostEntries),
    depth: `as the bytes of a path allow`,
    error: 'image_invalid',
    wayOn: 'use another image',
  },
];

export function limitsPage(mark: string): string {
  const rows = limits.map(
    ({ what, bytes, entries, depth: levels, error, wayOn }) =>
      `| ${what} | ${bytes} | ${entries} | ${levels} | ${error === undefined ? '' : `\`${error}\``} | ${wayOn} |`,
  );
  return `# Limits\n\n${mark}\nA guest, a project and an image are strangers: whatever they can make large has a limit here, in bytes, in entries and in depth. Beyond it the call fails with the error of its row, which names the limit, and nothing is half done; where there is no error, the rest is cut, paged or left out, and the result says so.\n\n| what | bytes | entries | depth | error | the way on |\n|---|---|---|---|---|---|\n${rows.join('\n')}\n`;
}
