// make smoke-use-cases and its parts: recipes with real guests, one after the other; the last line counts them.
//
// node test/recipes/run.ts [--pages] [--artifacts DIR] [NAME...]
//   all recipes without a name; --pages also puts the transcripts on their pages
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../support/documents.ts';
import { cleanEnvironment } from './command.ts';
import { interruptible } from './interruptible.ts';
import { writeTranscript } from './page.ts';
import { perform } from './perform.ts';
import { recipes } from './recipes.ts';

const { values, positionals } = parseArgs({
  options: {
    pages: { type: 'boolean', default: false },
    artifacts: { type: 'string', default: join(root, 'artifacts', 'recipes') },
  },
  allowPositionals: true,
});
const unknown = positionals.filter((name) => !recipes.some((recipe) => recipe.name === name));
if (unknown.length > 0) {
  process.stderr.write(`no recipe ${unknown.join(', ')}; there are: ${recipes.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}

const signal = interruptible();
const chosen = recipes.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const onLine = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
let passed = 0;
let failed = 0;
for (const recipe of chosen) {
  if (signal.aborted) break;
  const options = { env: cleanEnvironment(), artifacts: values.artifacts, signal, onLine };
  const { report, files } = await perform(recipe, options);
  if (report.passed) passed++;
  else failed++;
  if (report.passed && values.pages) writeTranscript(recipe.page, report);
  for (const file of files) onLine(`  ${relative(process.cwd(), file)}`);
}
onLine(`${passed} passed, ${failed} failed`);
if (failed > 0) process.exitCode = signal.aborted ? 130 : 1;
