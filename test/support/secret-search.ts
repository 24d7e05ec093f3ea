// Looks for a secret as somebody would who has found it: in files and texts, in each form that encodings make of it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The forms, made without the product's own list. */
export function formsOf(value: string): string[] {
  const bytes = Buffer.from(value);
  // At each of the three places in a group of base64; what depends on the neighbours is cut off.
  const base64 = [0, 1, 2].map((lead) => {
    const text = Buffer.concat([Buffer.alloc(lead, 'x'), bytes]).toString('base64');
    return text.slice(lead === 0 ? 0 : 4, text.length - 4);
  });
  const json = JSON.stringify(value).slice(1, -1);
  const ascii = json.replace(/[^ -~]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const url = encodeURIComponent(value);
  const form = new URLSearchParams({ v: value }).toString().slice(2);
  const base64url = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  return [...new Set([value, json, ascii, url, form, ...base64, ...base64url, bytes.toString('hex')])];
}

export function formsIn(text: string, forms: readonly string[]): string[] {
  return forms.filter((form) => text.includes(form));
}

export interface SearchOptions {
  /** Name patterns of files that are not looked into */
  readonly exclude?: readonly string[];
  /** Only files that were written since then, `ms` since 1970 */
  readonly sinceMs?: number;
}

/** Files below a folder with one of the texts in them; a folder that is not there has none. */
export function filesWith(texts: readonly string[], folder: string, options: SearchOptions = {}): string[] {
  const own = mkdtempSync(join(tmpdir(), 'pyro-patterns-'));
  try {
    const patterns = join(own, 'patterns');
    writeFileSync(patterns, `${texts.join('\n')}\n`, { mode: 0o600 });
    const excluded = (options.exclude ?? []).flatMap((name) => ['!', '-name', name]);
    const since = options.sinceMs === undefined ? [] : ['-newermt', `@${Math.floor(options.sinceMs / 1000)}`];
    const grep = ['grep', '-laF', '-f', patterns, '--'];
    const { stdout, stderr } = spawnSync(
      'find',
      [folder, '-type', 'f', ...excluded, ...since, '-exec', ...grep, '{}', '+'],
      { encoding: 'utf8', env: { PATH: process.env['PATH'], LC_ALL: 'C' }, maxBuffer: 1 << 26 },
    );
    const faults = stderr.split('\n').filter((line) => line !== '' && !line.includes('No such file'));
    if (faults.length > 0) throw new Error(faults.join('\n'));
    return stdout.split('\n').filter((line) => line !== '');
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}
