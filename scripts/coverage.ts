// Says what the tests cover, and fails below the committed floor: `coverage.ts SUMMARY GO-PROFILE [--raise]`.
// Counted is what runs in the tests' own processes, without a guest. The command line, the daemon and the MCP server are
// tested as processes of their own, too, which are not counted.
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { belowFloor, figuresOf, figuresSchema, raised } from './coverage-figures.ts';

const floorFile = 'test/coverage-floor.json';
const { values, positionals } = parseArgs({ allowPositionals: true, options: { raise: { type: 'boolean' } } });
const [summaryFile = '', profileFile = ''] = positionals;
const figures = figuresOf(JSON.parse(await readFile(summaryFile, 'utf8')), await readFile(profileFile, 'utf8'));
const floor = figuresSchema.parse(JSON.parse(await readFile(floorFile, 'utf8')));
process.stdout.write(
  `coverage without a guest: ${figures.host} % of the lines of src, ${figures.engine} % of src/engine, ${figures.guest} % of the agent's statements\n`,
);
const next = raised(figures, floor);
if (values.raise === true) await writeFile(floorFile, `${JSON.stringify(next, null, 2)}\n`);
const faults = belowFloor(figures, floor);
for (const fault of faults) process.stderr.write(`coverage: ${fault} (${floorFile})\n`);
process.exitCode = faults.length === 0 ? 0 : 1;
