// What is told of changes while they are read and compared: nothing for a log, since most of it is over at once.
import type { Change } from '../agent/file-types.ts';
import { createMeter, noProgress } from '../shared/progress.ts';
import { formatCount } from '../shared/units.ts';
import type { WorkContext } from './git-lab.ts';
import { isLeaf } from './import-trees.ts';
import type { ListedChange } from './listed-changes.ts';

const step = { phase: 'changes', isPassing: true } as const;

export function tellStep({ onProgress = noProgress }: WorkContext, message: string): void {
  onProgress({ ...step, message });
}

/** The changes, with what their contents have told as it is read; `listed` are those whose contents come. */
export async function* withMeter(
  changes: AsyncIterable<Change>,
  listed: readonly ListedChange[],
  { onProgress = noProgress }: WorkContext,
): AsyncGenerator<Change> {
  let totalBytes = 0;
  for (const { before, after } of listed) {
    for (const side of [before, after]) if (isLeaf(side)) totalBytes += side?.size ?? 0;
  }
  const message = `reading ${formatCount(listed.length, 'change')}`;
  const tell = createMeter(onProgress, { ...step, message, totalBytes });
  async function* counted(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of content) {
      tell(chunk.length);
      yield chunk;
    }
  }
  for await (const change of changes) {
    const contentBefore = (): AsyncIterable<Buffer> => counted(change.contentBefore());
    const contentAfter = (): AsyncIterable<Buffer> => counted(change.contentAfter());
    yield { ...change, contentBefore, contentAfter };
  }
}
