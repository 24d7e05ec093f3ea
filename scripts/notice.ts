// The licences of the packages that are part of the bundle, in one file beside it.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const manifestSchema = z.looseObject({ version: z.string(), license: z.string() });

/** `inputs` are the files that the bundler took. Throws for a package without the text of its licence. */
export async function writeNotice(inputs: readonly string[], target: string): Promise<void> {
  const folders = new Set(inputs.flatMap((path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []));
  const parts: string[] = [];
  for (const folder of [...folders].sort()) {
    const name = folder.replace(/^.*node_modules\//, '');
    const { version, license } = manifestSchema.parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')));
    const file = (await readdir(folder)).find((each) => /^licen[cs]e(?:\.(?:md|txt))?$/i.test(each));
    if (file === undefined) throw new Error(`${name} has no text of its licence`);
    parts.push(`${name} ${version}, ${license}\n\n${(await readFile(join(folder, file), 'utf8')).trim()}\n`);
  }
  const rule = `\n${'-'.repeat(80)}\n\n`;
  await writeFile(target, `The JavaScript in this folder contains these packages:\n${rule}${parts.join(rule)}`);
}
