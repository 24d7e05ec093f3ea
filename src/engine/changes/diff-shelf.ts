// Diffs are kept for a while: the next page continues in the same one, and one that came too late is not made again.
import { randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type DiffResult as CollectedDiff,
  countLines,
  type DiffSummary,
  type LineCounts,
} from '../../changes/diff-types.ts';
import type { OmittedPath } from '../../changes/import-trees.ts';
import type { IgnoredCount } from '../../changes/listed-changes.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { PyroError } from '../../shared/errors.ts';
import { SharedWork } from '../../shared/shared-work.ts';
import { formatBytes, gibibyte } from '../../shared/units.ts';
import { writeEntries } from './kept-entries.ts';

export interface KeptDiff {
  readonly id: string;
  readonly workspaceId: string;
  readonly patch: { readonly file: string; readonly bytes: number } | undefined;
  /** File of its entries, in their order */
  readonly entries: string;
  readonly facts: DiffFacts;
}

export interface DiffFacts extends LineCounts {
  readonly changed: boolean;
  readonly summary: DiffSummary;
  readonly ignored: IgnoredCount;
  /** What the patch leaves out: the first of `leftOutCount` */
  readonly leftOut: readonly OmittedPath[];
  readonly leftOutCount: number;
  /** Those of them that are not entries: the first of what Git cannot hold */
  readonly omitted: readonly OmittedPath[];
}

interface Kept {
  readonly diff: KeptDiff;
  readonly key: string;
  readonly madeAt: number;
  /** True when making it took longer than hosts wait: nobody may have seen it */
  readonly isLate: boolean;
  usedAt: number;
}

const mostKept = 16;
const mostLeftOutKept = 100;
const mostKeptBytes = 4 * gibibyte;
const keptMs = 600_000;
/** How long hosts wait for a call, and how long afterwards the same call gets what it began */
const lateMs = 35_000;
const freshMs = 120_000;

export class DiffShelf {
  readonly #kept = new Map<string, Kept>();
  readonly #making = new Map<string, SharedWork<KeptDiff>>();

  /** A new diff, or the one that the same call started. It is abandoned with the last caller who waits for it. */
  async make(
    { workspaceId, folder, key }: { readonly workspaceId: string; readonly folder: string; readonly key: string },
    call: CallContext,
    collect: (call: CallContext) => Promise<CollectedDiff>,
  ): Promise<KeptDiff> {
    const whole = `${workspaceId} ${key}`;
    const late = [...this.#kept.values()].find((kept) => kept.key === whole && kept.isLate && isFresh(kept));
    if (late !== undefined) return this.#use(late);
    const making = this.#making.get(whole) ?? new SharedWork<KeptDiff>();
    this.#making.set(whole, making);
    try {
      return await making.join(call.signal, (signal) =>
        this.#make(whole, workspaceId, folder, () => collect({ ...call, signal })),
      );
    } finally {
      if (making.isIdle) this.#making.delete(whole);
    }
  }

  /** Throws `result_gone`. */
  find(workspaceId: string, id: string): KeptDiff {
    const kept = this.#kept.get(id);
    if (kept !== undefined && kept.diff.workspaceId === workspaceId) return this.#use(kept);
    throw new PyroError('result_gone', 'the diff that the cursor belongs to is no longer kept', {
      hint: 'call again without a cursor to start over with the current state',
    });
  }

  /** Forgets what belongs to a workspace; its files go with the workspace, or now. */
  async forget(workspaceId: string): Promise<void> {
    for (const { diff } of [...this.#kept.values()]) if (diff.workspaceId === workspaceId) await this.#drop(diff.id);
  }

  #use(kept: Kept): KeptDiff {
    kept.usedAt = Date.now();
    return kept.diff;
  }

  async #make(
    key: string,
    workspaceId: string,
    folder: string,
    collect: () => Promise<CollectedDiff>,
  ): Promise<KeptDiff> {
    const startedAt = Date.now();
    await using diff = await collect();
    const id = randomBytes(6).toString('hex');
    const { patch } = diff;
    let file: KeptDiff['patch'];
    if (patch !== undefined) {
      file = { file: join(folder, `diff-${id}.patch`), bytes: patch.bytes };
      await rename(patch.file, file.file);
    }
    const entries = join(folder, `diff-${id}.entries`);
    try {
      await writeEntries(entries, diff.entries);
    } catch (error) {
      for (const path of [entries, file?.file]) if (path !== undefined) await rm(path, { force: true });
      throw error;
    }
    const kept: KeptDiff = { id, workspaceId, patch: file, entries, facts: factsOf(diff) };
    const now = Date.now();
    this.#kept.set(id, { diff: kept, key, madeAt: now, usedAt: now, isLate: now - startedAt > lateMs });
    await this.#sweep(id);
    setTimeout(() => void this.#sweep(undefined), keptMs + 1000).unref();
    return kept;
  }

  async #sweep(latest: string | undefined): Promise<void> {
    const all = [...this.#kept.values()].filter(({ diff }) => diff.id !== latest).sort((a, b) => b.usedAt - a.usedAt);
    let bytes = latest === undefined ? 0 : (this.#kept.get(latest)?.diff.patch?.bytes ?? 0);
    for (const [index, { diff, usedAt }] of all.entries()) {
      bytes += diff.patch?.bytes ?? 0;
      const isKept = index + 1 < mostKept && bytes <= mostKeptBytes && Date.now() - usedAt < keptMs;
      if (!isKept) await this.#drop(diff.id);
    }
  }

  async #drop(id: string): Promise<void> {
    const diff = this.#kept.get(id)?.diff;
    this.#kept.delete(id);
    for (const path of [diff?.entries, diff?.patch?.file]) if (path !== undefined) await rm(path, { force: true });
  }
}

function factsOf({ changed, summary, entries, ignored, omitted, whyLeftOut }: CollectedDiff): DiffFacts {
  const leftOut: OmittedPath[] = [];
  let leftOutCount = omitted.length;
  for (const { path, left_out_bytes: size } of entries) {
    if (size === null) continue;
    leftOutCount++;
    if (leftOut.length < mostLeftOutKept) leftOut.push({ path, reason: `${formatBytes(size)}, ${whyLeftOut(size)}` });
  }
  leftOut.push(...omitted.slice(0, mostLeftOutKept - leftOut.length));
  const lines = countLines(entries);
  return { changed, summary, ...lines, ignored, leftOut, leftOutCount, omitted: omitted.slice(0, mostLeftOutKept) };
}

function isFresh({ madeAt }: Kept): boolean {
  return Date.now() - madeAt < freshMs;
}
