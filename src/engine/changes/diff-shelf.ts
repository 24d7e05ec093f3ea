// Diffs are kept for a while: the next page continues in the same one, and one that came too late is not made again.
import { randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallContext } from '../../shared/call-context.ts';
import { PyroError } from '../../shared/errors.ts';
import { SharedWork } from '../../shared/shared-work.ts';
import { gibibyte } from '../../shared/units.ts';
import { openWorkFolder } from '../jobs/job.ts';
import type { DiffFacts, MadeDiff } from './diff-job.ts';

export interface KeptDiff {
  readonly id: string;
  readonly workspaceId: string;
  readonly patch: { readonly file: string; readonly bytes: number } | undefined;
  /** File of its entries, in their order */
  readonly entries: string;
  readonly facts: DiffFacts;
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
    makeIn: (workFolder: string, call: CallContext) => Promise<MadeDiff>,
  ): Promise<KeptDiff> {
    const whole = `${workspaceId} ${key}`;
    const late = [...this.#kept.values()].find((kept) => kept.key === whole && kept.isLate && isFresh(kept));
    if (late !== undefined) return this.#use(late);
    const making = this.#making.get(whole) ?? new SharedWork<KeptDiff>();
    this.#making.set(whole, making);
    try {
      return await making.join(call.signal, (signal) =>
        this.#make(whole, workspaceId, folder, (workFolder) => makeIn(workFolder, { ...call, signal })),
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
    kept.usedAt = performance.now();
    return kept.diff;
  }

  async #make(
    key: string,
    workspaceId: string,
    folder: string,
    makeIn: (workFolder: string) => Promise<MadeDiff>,
  ): Promise<KeptDiff> {
    const startedAt = performance.now();
    await using work = await openWorkFolder(folder);
    const { patch, entries: made, facts } = await makeIn(work.path);
    const id = randomBytes(6).toString('hex');
    let file: KeptDiff['patch'];
    if (patch !== undefined) {
      file = { file: join(folder, `diff-${id}.patch`), bytes: patch.bytes };
      await rename(patch.file, file.file);
    }
    const entries = join(folder, `diff-${id}.entries`);
    await rename(made, entries);
    const kept: KeptDiff = { id, workspaceId, patch: file, entries, facts };
    const now = performance.now();
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
      const isKept = index + 1 < mostKept && bytes <= mostKeptBytes && performance.now() - usedAt < keptMs;
      if (!isKept) await this.#drop(diff.id);
    }
  }

  async #drop(id: string): Promise<void> {
    const diff = this.#kept.get(id)?.diff;
    this.#kept.delete(id);
    for (const path of [diff?.entries, diff?.patch?.file]) if (path !== undefined) await rm(path, { force: true });
  }
}

function isFresh({ madeAt }: Kept): boolean {
  return performance.now() - madeAt < freshMs;
}
