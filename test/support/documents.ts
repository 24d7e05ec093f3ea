// The documents of the repository: their headings, their links, and the command lines in their fenced shell blocks.
import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { join } from 'node:path';

export const root = new URL('../..', import.meta.url).pathname;

export interface DocumentText {
  /** Relative to the root of the repository */
  readonly path: string;
  readonly text: string;
}

export async function readDocuments(): Promise<DocumentText[]> {
  const patterns = ['*.md', 'docs/**/*.md', 'examples/**/*.md', 'skills/**/*.md'];
  const paths: string[] = [];
  for await (const path of glob(patterns, { cwd: root })) paths.push(path);
  return paths.sort().map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

/** The session that is drawn in the README, its commands as a shell block. */
export function readRecording(): DocumentText {
  const path = 'docs/terminal.svg';
  const [, session = ''] = /<desc[^>]*>(.*?)<\/desc>/s.exec(readFileSync(join(root, path), 'utf8')) ?? [];
  const text = session.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
  const commands = text.split('\n').flatMap((line) => (line.startsWith('$ ') ? [line.slice(2)] : []));
  return { path, text: ['```sh', ...commands, '```', ''].join('\n') };
}

/** Targets of the links that stay in the repository. */
export function linksOf({ text }: DocumentText): string[] {
  const prose = text.replaceAll(/^```.*?^```/gms, '');
  return [...prose.matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) =>
    /^[a-z]+:/.test(target) ? [] : [target],
  );
}

/** Names that a link may have after `#`. */
export function anchorsOf(text: string): string[] {
  const prose = text.replaceAll(/^```.*?^```/gms, '');
  return [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  );
}

export interface ShellLine {
  readonly path: string;
  readonly line: string;
  /** Arguments of pyro, without its own name */
  readonly argv: readonly string[];
}

/** Each call of pyro in the shell blocks, also in pipes, in substitutions, and as the command of a chat host. */
export function commandsOf({ path, text }: DocumentText): ShellLine[] {
  const blocks = [...text.matchAll(/^```(?:sh|bash)\n(.*?)^```/gms)].map(([, body = '']) => body);
  const lines = blocks.flatMap((body) => body.replaceAll(/\\\n\s*/g, ' ').split('\n'));
  return lines.flatMap((line) =>
    splitCommands(line).flatMap((words) => {
      const at = words.findIndex((word) => word === 'pyro' || word.endsWith('bin/pyro'));
      const before = words[at - 1];
      const isCalled = at === 0 || before === '--' || (before !== undefined && /^\w+=/.test(before));
      return at >= 0 && isCalled ? [{ path, line, argv: words.slice(at + 1) }] : [];
    }),
  );
}

/** Words of each command of a shell line, without comments and redirections. */
export function splitCommands(line: string): string[][] {
  const commands: string[][] = [[]];
  for (const [token] of line.matchAll(/#.*$|[|&;()]+|\$\(|[<>]+\s*\S+|(?:'[^']*'|"[^"]*"|[^\s|&;()<>'"])+/g)) {
    if (token.startsWith('#')) break;
    if (/^[<>]/.test(token)) continue;
    if (/^[|&;()$]+$/.test(token) && token !== '$') commands.push([]);
    else commands.at(-1)?.push(token.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2').replace(/^\$$/, ''));
  }
  return commands.map((words) => words.filter((word) => word !== '')).filter((words) => words.length > 0);
}
