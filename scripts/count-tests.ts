// Sums the tests of `go test -json` and of vitest's JSON report: passed, failed, skipped. Failed tests are named.
import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { z } from 'zod';

const [goFile = '', vitestFile = ''] = process.argv.slice(2);
const goLine = z.object({
  Action: z.string(),
  Package: z.string().optional(),
  Test: z.string().optional(),
  Output: z.string().optional(),
});
const vitestReport = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  testResults: z.array(
    z.object({
      name: z.string(),
      message: z.string(),
      assertionResults: z.array(
        z.object({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()).default([]) }),
      ),
    }),
  ),
});

const counts = { pass: 0, fail: 0, skip: 0 };
const outputs = new Map<string, string>();
for (const line of (await readFile(goFile, 'utf8')).split('\n').filter((text) => text !== '')) {
  const event = goLine.parse(JSON.parse(line));
  const name = `${event.Package}/${event.Test}`;
  if (event.Action === 'output') outputs.set(name, (outputs.get(name) ?? '') + event.Output);
  if (event.Test === undefined || event.Test.includes('/')) continue;
  if (event.Action === 'pass' || event.Action === 'fail' || event.Action === 'skip') counts[event.Action]++;
  if (event.Action === 'fail' || event.Action === 'skip') process.stderr.write(outputs.get(name) ?? '');
}
const report = vitestReport.parse(JSON.parse(await readFile(vitestFile, 'utf8')));
for (const { name, message, assertionResults } of report.testResults) {
  const file = relative(process.cwd(), name);
  if (message !== '') process.stderr.write(`FAIL  ${file}: ${message}\n`);
  for (const { fullName, status, failureMessages } of assertionResults) {
    if (status === 'failed') process.stderr.write(`FAIL  ${file} > ${fullName}\n${failureMessages.join('\n')}\n`);
  }
}
process.stdout.write(
  `${counts.pass + report.numPassedTests} ${counts.fail + report.numFailedTests} ${counts.skip + report.numPendingTests}\n`,
);
