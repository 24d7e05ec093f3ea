// Tests of how deep a list of files looks.
import { expect, it } from 'vitest';
import type { Engine } from '../../../src/contract/engine.ts';
import { workspaceFileList } from '../../../src/operations/workspace-file.ts';
import { noProgress } from '../../../src/shared/progress.ts';

/** Levels that are asked for with this input. */
async function levels(input: Readonly<Record<string, unknown>>): Promise<number> {
  let asked = 0;
  const fileList = async (_id: string, { depth, path }: { depth: number; path: string }) => {
    asked = depth;
    return { path, entries: [], next_cursor: null };
  };
  const engine: Engine = Object.assign(Object.create(null), { workspaces: { fileList } });
  const none = { io: undefined, project: undefined, network: undefined, daemon: undefined };
  const { signal } = new AbortController();
  await workspaceFileList.invoke(
    { ...none, engine, signal, onProgress: noProgress, hostPaths: 'any' },
    { workspace_id: '6f1e538c0e71', ...input },
  );
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
