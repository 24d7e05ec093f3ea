// Copies between the host and a workspace: where they come to stand; export and sync do the work.
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, lstat, mkdir, realpath, rm, stat } from 'node:fs/promises';
import { basename, join, posix, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGuestFiles } from '../agent/guest-files.ts';
import { readTar } from '../changes/tar-read.ts';
import { isNoRoom, isPyroError, PyroError, systemCodeOf } from '../shared/errors.ts';
import { createMeter, type OnProgress } from '../shared/progress.ts';
import { writeTo } from '../shared/write-to.ts';
import type { CopyRequest, CopyResult } from './change-types.ts';
import { permitHostPath } from './host-paths.ts';
import { SecretWatch } from './secret-watch.ts';
import type { Workspace } from './workspace.ts';
import { exportWorkspace } from './workspace-changes.ts';
import { guestPath } from './workspace-exec.ts';
import { pushFrom } from './workspace-sync.ts';
import type { WorkspaceCall } from './workspace-types.ts';

const usualMode = 0o644;

export async function copyFiles(workspace: Workspace, request: CopyRequest, given: WorkspaceCall): Promise<CopyResult> {
  const { isOut, guest, host, io } = request;
  const call = { ...given, onProgress: passing(given.onProgress) };
  if (isOut)
    return host === undefined ? await show(workspace, guest, io, call) : await copyOut(workspace, guest, host, call);
  return host === undefined ? await take(workspace, guest, io, call) : await copyIn(workspace, host, guest, call);
}

/** Its own steps are worth no line of a log, which gets the result; what happens to the guest is. */
function passing(onProgress: OnProgress): OnProgress {
  const steps = ['copy', 'export', 'sync'];
  return (progress) => onProgress(steps.includes(progress.phase) ? { ...progress, isPassing: true } : progress);
}

interface Place {
  /** Absolute and without an end */
  readonly path: string;
  /** True when a folder is meant, whether it stands there or not */
  readonly isFolder: boolean;
  /** True when what is in the folder is meant */
  readonly isContent: boolean;
}

function placeOf(words: string, absolute: (words: string) => string): Place {
  const isContent = words === '.' || words.endsWith('/.');
  return { path: absolute(words), isFolder: isContent || words === '' || words.endsWith('/'), isContent };
}

async function copyOut(workspace: Workspace, guest: string, host: string, call: WorkspaceCall): Promise<CopyResult> {
  const from = placeOf(guest, guestPath);
  const target = await placeHere(placeOf(host, resolve), from);
  const request = {
    path: from.path,
    outputPath: target,
    format: 'files' as const,
    isOverwrite: false,
    isMerge: true,
    hasGit: false,
    hasIgnored: true,
  };
  const written = await exportWorkspace(workspace, request, call);
  return {
    workspace_id: workspace.record.id,
    source: from.path,
    target,
    artifact_type: written.artifact_type,
    entry_count: written.entry_count,
    written_count: written.entry_count,
    bytes_written: written.bytes_written,
    skipped: written.skipped,
  };
}

/** Where on the host it comes to stand. Throws `export_refused` for a link to a folder, which may be meant or not. */
async function placeHere(to: Place, from: Place): Promise<string> {
  const standing = await lstat(to.path).catch(() => undefined);
  const behind = await stat(to.path).catch(() => undefined);
  if (standing?.isSymbolicLink() === true && behind?.isDirectory() === true && !to.isFolder) {
    throw new PyroError('export_refused', `${to.path} is a link to a folder`, {
      hint: `write ${to.path}/ for the folder that it leads to, or remove the link`,
    });
  }
  if (to.isFolder && behind !== undefined && !behind.isDirectory()) {
    throw new PyroError('output_exists', `${to.path} is no folder`, { hint: `leave the slash out to replace it` });
  }
  const base = to.isFolder && behind !== undefined ? await realpath(to.path) : to.path;
  if (from.isContent || !(to.isFolder || standing?.isDirectory() === true)) return base;
  const name = basename(from.path);
  if (name !== '') return join(base, name);
  throw new PyroError('usage', 'the root of the guest has no name', { hint: 'name a folder that is not there yet' });
}

/** One file to standard output, as it is. */
async function show(
  workspace: Workspace,
  guest: string,
  io: CopyRequest['io'],
  call: WorkspaceCall,
): Promise<CopyResult> {
  const stdout = io?.stdout;
  if (stdout === undefined) {
    throw new PyroError('usage', '- is standard output, which this call does not have', {
      hint: 'leave --json out, or name a file in place of -',
    });
  }
  const path = guestPath(guest);
  const bytes = await workspace.use(call, async ({ guest: { client } }) => {
    const files = createGuestFiles(client);
    const source = workspace.secrets.isEmpty ? files : new SecretWatch(workspace.secrets, '').files(files);
    const tar = await source.pack({ path }, { signal: call.signal });
    const tell = createMeter(call.onProgress, { phase: 'copy', message: `reading ${path}` });
    let count = 0;
    try {
      for await (const { type, size, content } of readTar(tar)) {
        if (type !== 'file') {
          throw new PyroError('is_a_directory', `${path} is a folder, and - takes one file`, {
            hint: `copy it to a folder, or as an archive: pyro exec ${workspace.record.id} -- tar -C ${path} -c .`,
          });
        }
        for await (const chunk of content()) {
          await writeTo(stdout, chunk, call.signal);
          count += chunk.length;
          tell(chunk.length, size);
        }
      }
    } finally {
      tar.destroy();
    }
    return count;
  });
  return copied(workspace, path, '-', bytes);
}

async function copyIn(workspace: Workspace, host: string, guest: string, call: WorkspaceCall): Promise<CopyResult> {
  const from = placeOf(host, resolve);
  const source = await permitHostPath(from.path, call.hostPaths);
  const status = await statHere(source, from);
  const to = placeOf(guest, guestPath);
  const standing = await standingAt(workspace, to.path, call);
  const isFolder = status.isDirectory();
  if (isFolder && standing?.isFolder === false) {
    throw new PyroError('not_a_directory', `${to.path} is a file of the guest, and ${from.path} a folder`, {
      hint: 'copy to another path, or remove the file first',
    });
  }
  const isBelow = (to.isFolder || standing?.isFolder === true) && !from.isContent;
  const target = isBelow ? posix.join(to.path, basename(from.path)) : to.path;
  if (!isFolder) await refuseFolder(workspace, target, call);
  const whole = isFolder
    ? { destination: target, name: undefined, hasTop: isBelow || standing === undefined }
    : { destination: posix.dirname(target), name: posix.basename(target), hasTop: false };
  return await push(workspace, { sourcePath: source, ...whole }, { source: from.path, target, isFolder }, call);
}

async function statHere(source: string, { path, isFolder }: Place) {
  const status = await stat(source).catch((cause: unknown) => {
    if (systemCodeOf(cause) !== 'ENOENT' && systemCodeOf(cause) !== 'ENOTDIR') throw cause;
    throw new PyroError('seed_missing', `there is no ${path} on this machine`, {
      hint: 'a path of a workspace is written ID:path',
      cause,
    });
  });
  if (status.isFile() ? isFolder : !status.isDirectory()) {
    throw new PyroError('seed_unsupported', `${path} is no ${isFolder ? 'folder' : 'file and no folder'}`, {
      hint: 'copy a file or a folder',
    });
  }
  return status;
}

/** Standard input as one file, which appears when the last byte is there. */
async function take(
  workspace: Workspace,
  guest: string,
  io: CopyRequest['io'],
  call: WorkspaceCall,
): Promise<CopyResult> {
  const to = placeOf(guest, guestPath);
  const standing = await standingAt(workspace, to.path, call);
  if (to.isFolder || standing?.isFolder === true) {
    throw new PyroError('usage', `${to.path} is a folder, and what comes by standard input has no name`, {
      hint: `name the file, such as ${posix.join(to.path, 'NAME')}`,
    });
  }
  if (io?.stdin === undefined) {
    throw new PyroError('usage', '- is standard input, which this call does not have', {
      hint: 'name a file in place of -',
    });
  }
  await mkdir(workspace.files.scratch, { recursive: true, mode: 0o700 });
  const file = join(workspace.files.scratch, `copy-${randomUUID()}`);
  try {
    const tell = createMeter(call.onProgress, { phase: 'copy', message: 'reading standard input' });
    const counted = async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const chunk of source) {
        tell(chunk.length);
        yield chunk;
      }
    };
    await pipeline(io.stdin, counted, createWriteStream(file, { flags: 'wx', mode: 0o600 }), { signal: call.signal });
    call.signal.throwIfAborted();
    await chmod(file, standing?.mode ?? usualMode);
    const place = { destination: posix.dirname(to.path), name: posix.basename(to.path), hasTop: false };
    const words = { source: '-', target: to.path, isFolder: false };
    return await push(workspace, { sourcePath: file, ...place }, words, call);
  } catch (error) {
    if (!isNoRoom(error)) throw error;
    throw new PyroError('disk_full', 'no room left on this machine for what comes by standard input', {
      hint: 'nothing was copied; free some space, or copy from a file',
      cause: error,
    });
  } finally {
    await rm(file, { force: true });
  }
}

interface Push {
  readonly sourcePath: string;
  readonly destination: string;
  readonly name: string | undefined;
  readonly hasTop: boolean;
}

async function push(
  workspace: Workspace,
  request: Push,
  { source, target, isFolder }: { readonly source: string; readonly target: string; readonly isFolder: boolean },
  call: WorkspaceCall,
): Promise<CopyResult> {
  const { workspace_sync: sync, left_out: leftOut } = await pushFrom(
    workspace,
    { ...request, isWhole: true, isDelete: false, isDryRun: false },
    call,
  );
  const skipped = [
    ...(leftOut.git_folders > 0 ? [{ path: '.git', status: "Git's own folders are not copied" }] : []),
    ...(leftOut.special > 0 ? [{ path: source, status: `${leftOut.special} devices, sockets or pipes in it` }] : []),
  ];
  return {
    ...copied(workspace, source, target, sync.bytes_written),
    artifact_type: isFolder ? 'directory' : 'file',
    entry_count: sync.entry_count,
    written_count: sync.written_count,
    skipped,
  };
}

function copied(workspace: Workspace, source: string, target: string, bytes: number): CopyResult {
  return {
    workspace_id: workspace.record.id,
    source,
    target,
    artifact_type: 'file',
    entry_count: 1,
    written_count: 1,
    bytes_written: bytes,
    skipped: [],
  };
}

interface Standing {
  readonly isFolder: boolean;
  /** Permission bits of a file */
  readonly mode: number | undefined;
}

/** What stands at a path of the guest; links count as what they lead to. */
async function standingAt(workspace: Workspace, path: string, call: WorkspaceCall): Promise<Standing | undefined> {
  return await workspace.use(call, async ({ guest }) => {
    try {
      const { entries } = await createGuestFiles(guest.client).list({ path, depth: 1, limit: 1 }, call);
      const [first] = entries;
      const isFolder = first?.path !== path;
      return { isFolder, mode: !isFolder && first.type === 'file' ? first.mode & 0o777 : undefined };
    } catch (error) {
      if (isPyroError(error, 'file_missing')) return undefined;
      throw error;
    }
  });
}

async function refuseFolder(workspace: Workspace, target: string, call: WorkspaceCall): Promise<void> {
  if ((await standingAt(workspace, target, call))?.isFolder !== true) return;
  throw new PyroError('is_a_directory', `${target} is a folder of the guest`, { hint: 'name another file' });
}
