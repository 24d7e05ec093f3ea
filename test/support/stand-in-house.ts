// One workspace over a stand-in guest, with the calls that tests make most, and what must not be left of them.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { WorkspaceCall } from '../../src/contract/call.ts';
import { applyInput, diffInput, exportInput, syncPushInput } from '../../src/contract/changes.ts';
import { fileListInput, fileReadInput, fileWriteInput } from '../../src/contract/files.ts';
import type { CreateInput } from '../../src/contract/workspaces.ts';
import type { Workspaces } from '../../src/engine/engine.ts';
import type { JobRunner } from '../../src/engine/jobs/job.ts';
import { isPyroError, PyroError } from '../../src/shared/errors.ts';
import { call, createRequest, exec } from './engine.ts';
import { openStandInEngine, type StandInEngine } from './stand-in-engine.ts';

type Given = Record<string, unknown>;

export class StandInHouse implements AsyncDisposable {
  readonly engine: StandInEngine;
  readonly id: string;
  /** A folder of the host for the test's own files */
  readonly host: string;

  private constructor(engine: StandInEngine, id: string, host: string) {
    this.engine = engine;
    this.id = id;
    this.host = host;
  }

  /** @param seed makes the folder that the workspace begins with */
  static async open(
    changes: Partial<CreateInput> = {},
    seed?: (folder: string) => void,
    jobs?: () => JobRunner,
  ): Promise<StandInHouse> {
    const host = mkdtempSync(join(tmpdir(), 'ph-'));
    const engine = await openStandInEngine(undefined, jobs);
    if (seed !== undefined) seed(join(host, 'seed'));
    const from = seed === undefined ? {} : { seed_path: join(host, 'seed') };
    const { workspace_id: id } = await engine.workspaces().create({ ...createRequest, ...from, ...changes }, call());
    return new StandInHouse(engine, id, host);
  }

  get all(): Workspaces {
    return this.engine.workspaces();
  }

  /** The path of something on the host; with a text, a file that has it. */
  on(name: string, text?: string | Buffer): string {
    const path = join(this.host, name);
    mkdirSync(dirname(path), { recursive: true });
    if (text !== undefined) writeFileSync(path, text);
    return path;
  }

  /** Output of a command that must succeed. */
  async sh(command: string): Promise<string> {
    const { stdout, stderr, exit_code: code } = await exec(this.engine, this.id, command, { output_bytes: 1 << 24 });
    if (code !== 0) throw new Error(`${command}: ${code}: ${stderr}`);
    return stdout;
  }

  /** How many processes in the guest have exactly this command line. */
  async processes(line: string): Promise<number> {
    const lines = 'for each in /proc/[0-9]*/cmdline; do tr "\\0" " " < $each 2>/dev/null; echo; done';
    return Number(await this.sh(`(${lines}) 2>/dev/null | grep -cxF '${line} ' || true`));
  }

  list = (given: Given, changes?: Partial<WorkspaceCall>) =>
    this.all.fileList(fileListInput.parse({ workspace_id: this.id, ...given }), call(changes));
  read = (path: string, given: Given = {}, changes?: Partial<WorkspaceCall>) =>
    this.all.fileRead(fileReadInput.parse({ workspace_id: this.id, path, ...given }), call(changes));
  write = (path: string, given: Given, changes?: Partial<WorkspaceCall>) =>
    this.all.fileWrite(fileWriteInput.parse({ workspace_id: this.id, path, ...given }), call(changes));
  diff = (given: Given = {}, changes?: Partial<WorkspaceCall>) =>
    this.all.diff(diffInput.parse({ workspace_id: this.id, ...given }), call(changes));
  apply = (given: Given = {}, changes?: Partial<WorkspaceCall>) =>
    this.all.apply(applyInput.parse({ workspace_id: this.id, ...given }), call(changes));
  export = (given: Given, changes?: Partial<WorkspaceCall>) =>
    this.all.export(exportInput.parse({ workspace_id: this.id, ...given }), call(changes));
  push = (given: Given, changes?: Partial<WorkspaceCall>) =>
    this.all.syncPush(syncPushInput.parse({ workspace_id: this.id, ...given }), call(changes));
  copy = (source: string, target: string, changes?: Partial<WorkspaceCall>) =>
    this.all.copy({ workspace_id: this.id, source, target }, call(changes));

  /** What calls have left in the workspace's folder for work in the making; kept diffs are none. */
  get leftovers(): string[] {
    const scratch = join(this.engine.paths.state, 'workspaces', this.id, 'scratch');
    if (!existsSync(scratch)) return [];
    return readdirSync(scratch).filter((name) => !/^diff-[0-9a-f]{12}\.(patch|entries)$/.test(name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
    rmSync(this.host, { recursive: true, force: true });
  }
}

/**
 * Makes a call once whole and then again and again, cancelled each time a little later of the time that it took. Gives how many
 * were cut off; what one of them throws that is no cancellation, it throws.
 */
export async function cancelAllAlong(work: (signal: AbortSignal) => Promise<unknown>, times = 8): Promise<number> {
  const startedAt = performance.now();
  await work(new AbortController().signal);
  const wholeMs = performance.now() - startedAt;
  let count = 0;
  for (let turn = 0; turn < times; turn++) {
    const canceller = new AbortController();
    const reason = new PyroError('cancelled', 'the test has cancelled it');
    if (turn === 0) canceller.abort(reason);
    else setTimeout(() => canceller.abort(reason), (wholeMs * turn) / times);
    await work(canceller.signal).catch((error: unknown) => {
      if (!isPyroError(error, 'cancelled')) throw error;
      count++;
    });
  }
  return count;
}
