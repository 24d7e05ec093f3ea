// Writes the result of `make mutate` for reading: how many mutants the tests noticed in each file, and where they did not.
import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';

const reportSchema = z.object({
  files: z.record(
    z.string(),
    z.object({
      mutants: z.array(
        z.object({
          mutatorName: z.string(),
          replacement: z.string().optional(),
          status: z.string(),
          location: z.object({ start: z.object({ line: z.number() }) }),
        }),
      ),
    }),
  ),
});
/** Longest replacement that is shown, `characters` */
const longestShown = 60;

const resultPath = 'test/mutation.md';

const { files } = reportSchema.parse(JSON.parse(await readFile('artifacts/mutation.json', 'utf8')));
const heading = `# Mutants

Written by \`make mutate\`, ${new Date().toISOString().slice(0, 10)}. A mutant is noticed when a test fails because of it or never ends.

| file | noticed | of |
|---|--:|--:|`;
// A run of some files keeps what an earlier one says of the others.
const kept = (await readFile(resultPath, 'utf8')).split('\n').filter((line) => {
  const path = /^(?:\| |- )`([^`:]+)/.exec(line)?.[1];
  return path !== undefined && files[path] === undefined;
});
const rows = kept.filter((line) => line.startsWith('| '));
const missed = kept.filter((line) => line.startsWith('- '));
for (const [path, { mutants }] of Object.entries(files)) {
  const unnoticed = mutants.filter(({ status }) => status === 'Survived' || status === 'NoCoverage');
  rows.push(`| \`${path}\` | ${mutants.length - unnoticed.length} | ${mutants.length} |`);
  for (const { mutatorName, replacement = '', location } of unnoticed) {
    const shown = replacement.replaceAll(/\s+/g, ' ').replaceAll('`', "'").slice(0, longestShown);
    missed.push(`- \`${path}:${location.start.line}\` ${mutatorName}${shown === '' ? '' : `: \`${shown}\``}`);
  }
}
const byPath = missed.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
await writeFile(resultPath, [heading, ...rows.sort(), '', '## Not noticed', '', ...byPath, ''].join('\n'));
