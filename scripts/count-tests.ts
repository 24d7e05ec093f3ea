// Sums the tests of `go test -json` and of vitest's JSON reports: passed, failed, skipped, passed only when run again.
// Failed tests are named, and those that the report of the failed files alone tells to have passed then: `count-tests.ts GO AGAIN REPORT…`.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { z } from 'zod';
import { readReports } from './vitest-report.ts';

const [goFile = '', againFile = '', ...vitestFiles] = process.argv.slice(2);
const goLine = z.object({
  Action: z.string(),
  Package: z.string().optional(),
  Test: z.string().optional(),
  Output: z.string().optional(),
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
const report = await readReports(vitestFiles);
const passedAgain = new Set<string>();
if (existsSync(againFile)) {
  for (const { name, assertionResults } of (await readReports([againFile])).testResults) {
    for (const { fullName, status } of assertionResults)
      if (status === 'passed') passedAgain.add(`${name}\0${fullName}`);
  }
}
let again = 0;
for (const { name, message, assertionResults } of report.testResults) {
  const file = relative(process.cwd(), name);
  if (message !== '') process.stderr.write(`FAIL  ${file}: ${message}\n`);
  for (const { fullName, status, failureMessages } of assertionResults) {
    if (status !== 'failed') continue;
    const isFlaky = passedAgain.has(`${name}\0${fullName}`);
    if (isFlaky) again++;
    process.stderr.write(`${isFlaky ? 'FLAKY' : 'FAIL '} ${file} > ${fullName}\n${failureMessages.join('\n')}\n`);
  }
}
const passed = counts.pass + report.numPassedTests + again;
const failed = counts.fail + report.numFailedTests - again;
process.stdout.write(`${passed} ${failed} ${counts.skip + report.numPendingTests} ${again}\n`);
