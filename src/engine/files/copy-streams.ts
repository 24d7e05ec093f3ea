// Copies of one file between a workspace and standard input or output.
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGuestFiles } from '../../agent/guest-files.ts';
import { readGuestTar } from '../../agent/guest-tar.ts';
import type { WorkspaceCall } from '../../contract/call.ts';
import type { CopyOutput } from '../../contract/files.ts';
import { isDiskFull, PyroError } from '../../shared/errors.ts';
import { createMeter } from '../../shared/progress.ts';
import { writeTo } from '../../shared/write-to.ts';
import { guestPath } from '../workspace/guest-places.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { placeOf, standingAt } from './copy-places.ts';
import { copied, pushCopy } from './copy-push.ts';
import { SecretWatch } from './secret-watch.ts';

const usualMode = 0o644;

/** One file to standard output, as it is. */
export async function copyToOutput(
  workspace: Workspace,
  guest: string,
  io: WorkspaceCall['io'],
  call: WorkspaceCall,
): Promise<CopyOutput> {
  const stdout = io?.stdout;
  if (stdout === undefined) {
    throw new PyroError('usage', 'this call has no standard output for -', {
      hint: 'leave out --json, or name a file instead of -',
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
      for await (const { type, size, content } of readGuestTar(tar)) {
        if (type !== 'file') {
          throw new PyroError('is_a_directory', `${path} is a folder, but - takes a single file`, {
            hint: `copy it to a folder, or make an archive: pyro exec ${workspace.record.id} -- tar -C ${path} -c .`,
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

/** Standard input as one file, which appears once the last byte has arrived. */
export async function copyFromInput(
  workspace: Workspace,
  guest: string,
  io: WorkspaceCall['io'],
  call: WorkspaceCall,
): Promise<CopyOutput> {
  const to = placeOf(guest, guestPath);
  const standing = await standingAt(workspace, to.path, call);
  if (to.isFolder || standing?.isFolder === true) {
    throw new PyroError('usage', `${to.path} is a folder, and standard input has no file name`, {
      hint: `name the file, such as ${posix.join(to.path, 'NAME')}`,
    });
  }
  if (io?.stdin === undefined) {
    throw new PyroError('usage', 'this call has no standard input for -', {
      hint: 'name a file instead of -',
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
    const place = { dest: posix.dirname(to.path), name: posix.basename(to.path), hasTop: false };
    const words = { source: '-', target: to.path, isFolder: false };
    return await pushCopy(workspace, { source_path: file, ...place }, words, call);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    throw new PyroError('disk_full', 'no room left on this machine for standard input', {
      hint: 'nothing was copied; free some space, or copy from a file',
      cause: error,
    });
  } finally {
    await rm(file, { force: true });
  }
}
