// The tests of the pure parts alone, which run against their mutants; see `make mutate`.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'test/unit/{network,secrets}/*.test.ts',
      'test/unit/changes/diff-entries.test.ts',
      'test/unit/engine/output/*.test.ts',
      'test/unit/engine/workspace/workspace-find.test.ts',
    ],
    testTimeout: 60_000,
  },
});
