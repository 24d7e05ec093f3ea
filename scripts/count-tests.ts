// Sums the tests of `go test -json` and of vitest's JSON report: passed, failed, skipped. Failed Go tests are named.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const [goFile = '', vitestFile = ''] = process.argv.slice(2);
const goLine = z.object({
  Action: z.string(),
  Package: z.string().optional(),
  Test: z.string().optional(),
  Output: z.string().optional(),
});
const vitestReport = z.object({ numPassedTests: z.number(), numFailedTests: z.number(), numPendingTests: z.number() });

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
process.stdout.write(
  `${counts.pass + report.numPassedTests} ${counts.fail + report.numFailedTests} ${counts.skip + report.numPendingTests}\n`,
);
