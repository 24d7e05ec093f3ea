// The unit tests that run against mutants of the pure parts; see `make mutate`.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/unit/{network,secrets,changes,engine}/**/*.test.ts'], testTimeout: 60_000 },
});
