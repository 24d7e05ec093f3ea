// The test files of vitest's JSON reports in which tests failed, a line each; nothing when so much failed that it is no chance.
import { readReports } from './vitest-report.ts';

/** More than so many failed tests have a cause */
const mostFailed = 3;

const { numFailedTests, testResults } = await readReports(process.argv.slice(2));
const failed = testResults.filter(({ status }) => status === 'failed');
const isWhole = failed.every(({ assertionResults }) => assertionResults.some(({ status }) => status === 'failed'));
if (isWhole && numFailedTests <= mostFailed) for (const { name } of failed) process.stdout.write(`${name}\n`);
