// Tests of how deep a list of files looks.
import { expect, it } from 'vitest';
import type { GuestFiles } from '../../../../src/agent/file-types.ts';
import { fileListInput } from '../../../../src/contract/files.ts';
import { listFiles } from '../../../../src/engine/files/files.ts';
import { noProgress } from '../../../../src/shared/progress.ts';

/** Levels that are asked for with this input. */
async function levels(input: Readonly<Record<string, unknown>>): Promise<number> {
  let asked = 0;
  const list: GuestFiles['list'] = async ({ depth }) => {
    asked = depth;
    return { entries: [], nextCursor: undefined };
  };
  const files: GuestFiles = Object.assign(Object.create(null), { list });
  const { signal } = new AbortController();
  const whole = fileListInput.parse({ workspace_id: '6f1e538c0e71', ...input });
  await listFiles(files, whole, { signal, onProgress: noProgress });
  return asked;
}

it.each([
  [{}, 1],
  [{ glob: '*.ts' }, 1],
  [{ glob: 'src/*.{ts,tsx}' }, 2],
  [{ glob: '{a/b,c}/*.ts' }, 3],
  [{ glob: '**/*.ts' }, 100],
  [{ glob: '**/*.ts', depth: 2 }, 2],
  [{ recursive: true }, 100],
  [{ glob: '/'.repeat(300) }, 100],
])('%j looks %d deep', async (input, expected) => {
  expect(await levels(input)).toBe(expected);
});
