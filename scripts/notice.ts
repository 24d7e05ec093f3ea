// The licences of the packages that are part of the bundle, in one file beside it.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const manifestSchema = z.looseObject({
  version: z.string(),
  license: z.string(),
  author: z.looseObject({ name: z.string() }).optional().catch(undefined),
});

/** `inputs` are the files that the bundler took. Throws for a package whose licence has no text. */
export async function writeNotice(inputs: readonly string[], target: string): Promise<void> {
  const folders = new Set(inputs.flatMap((path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []));
  const parts: string[] = [];
  for (const folder of [...folders].sort()) {
    const manifest = manifestSchema.parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')));
    const name = folder.replace(/^.*node_modules\//, '');
    parts.push(`${name} ${manifest.version}, ${manifest.license}\n\n${await licenceOf(folder, name, manifest)}\n`);
  }
  const rule = `\n${'-'.repeat(80)}\n\n`;
  await writeFile(target, `The JavaScript in this folder contains these packages:\n${rule}${parts.join(rule)}`);
}

async function licenceOf(
  folder: string,
  name: string,
  { license, author }: z.infer<typeof manifestSchema>,
): Promise<string> {
  const file = (await readdir(folder)).find((each) => /^licen[cs]e(?:\.(?:md|txt))?$/i.test(each));
  if (file !== undefined) return (await readFile(join(folder, file), 'utf8')).trim();
  if (license !== 'MIT') throw new Error(`${name} has no text of its licence`);
  // Some packages name the licence alone. Its words are those of our own.
  const ours = await readFile('LICENSE', 'utf8');
  return ours.replace(/^Copyright.*$/m, `Copyright (c) ${author?.name ?? `the authors of ${name}`}`).trim();
}
