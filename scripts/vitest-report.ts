// What vitest's JSON reports have of each test.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const reportSchema = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string(),
      assertionResults: z.array(
        z.object({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()).default([]) }),
      ),
    }),
  ),
});
type Report = z.infer<typeof reportSchema>;

/** The reports of several runs as one. */
export async function readReports(files: readonly string[]): Promise<Report> {
  const all = await Promise.all(
    files.map(async (file) => reportSchema.parse(JSON.parse(await readFile(file, 'utf8')))),
  );
  const sum = (name: 'numPassedTests' | 'numFailedTests' | 'numPendingTests'): number =>
    all.reduce((before, report) => before + report[name], 0);
  return {
    numPassedTests: sum('numPassedTests'),
    numFailedTests: sum('numFailedTests'),
    numPendingTests: sum('numPendingTests'),
    testResults: all.flatMap(({ testResults }) => testResults),
  };
}
