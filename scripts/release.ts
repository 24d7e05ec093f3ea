// Makes the files of a release: `release.ts 5.0.0`, and afterwards those of what comes next: `release.ts --next 5.1.0`.
// It commits and tags nothing: CONTRIBUTING.md has the recipe.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { openNext, release } from './changelog.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { next: { type: 'string' } } });
const changelog = await readFile('CHANGELOG.md', 'utf8');
if (values.next === undefined) {
  const [version = ''] = positionals;
  const made = release(changelog, version, new Date().toISOString().slice(0, 10));
  await mkdir('artifacts', { recursive: true });
  await writeFile('artifacts/release-notes.md', `${made.notes}\n`);
  await writeFile('CHANGELOG.md', made.changelog);
  await setVersion(version);
} else {
  await writeFile('CHANGELOG.md', openNext(changelog, values.next));
  await setVersion(`${values.next}-dev`);
}

/** In the manifest and, twice, in the lock file: each has its own version before those of others. */
async function setVersion(version: string): Promise<void> {
  for (const [file, times] of [
    ['package.json', 1],
    ['package-lock.json', 2],
  ] as const) {
    let text = await readFile(file, 'utf8');
    const { version: old } = JSON.parse(text);
    for (let turn = 0; turn < times; turn++) text = text.replace(`"version": "${old}"`, `"version": "${version}"`);
    await writeFile(file, text);
  }
}
