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

const { files } = reportSchema.parse(JSON.parse(await readFile('artifacts/mutation.json', 'utf8')));
const lines = [
  '# Mutants',
  '',
  `Written by \`make mutate\`, ${new Date().toISOString().slice(0, 10)}. A mutant is noticed when a test fails by it or takes for ever.`,
  '',
  '| file | noticed | of |',
  '|---|--:|--:|',
];
const missed: string[] = [];
for (const [path, { mutants }] of Object.entries(files).sort()) {
  const unnoticed = mutants.filter(({ status }) => status === 'Survived' || status === 'NoCoverage');
  lines.push(`| \`${path}\` | ${mutants.length - unnoticed.length} | ${mutants.length} |`);
  for (const { mutatorName, replacement = '', location } of unnoticed) {
    const shown = replacement.replaceAll(/\s+/g, ' ').replaceAll('`', "'").slice(0, longestShown);
    missed.push(`- \`${path}:${location.start.line}\` ${mutatorName}${shown === '' ? '' : `: \`${shown}\``}`);
  }
}
await writeFile('test/mutation.md', [...lines, '', '## Not noticed', '', ...missed, ''].join('\n'));
