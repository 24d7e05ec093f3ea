// What vitest's JSON report has of each test.
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

export async function readReport(file: string): Promise<z.infer<typeof reportSchema>> {
  return reportSchema.parse(JSON.parse(await readFile(file, 'utf8')));
}
