// The documents say what is so: links lead somewhere, and each command line in them is one that pyro takes.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { addServers } from '../../src/cli/server-program.ts';
import {
  anchorsOf,
  commandsOf,
  linksOf,
  readDocuments,
  readRecording,
  root,
  splitCommands,
} from '../support/documents.ts';

const documents = await readDocuments();

describe('links', () => {
  it.each(documents)('of $path lead to files and headings that exist', (document) => {
    const broken = linksOf(document).filter((link) => {
      const [target = '', anchor] = link.split('#');
      const path = target === '' ? join(root, document.path) : join(root, dirname(document.path), target);
      if (!existsSync(path)) return true;
      return anchor !== undefined && !anchorsOf(readFileSync(path, 'utf8')).includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});

describe('commands', () => {
  const lines = documents.filter(({ path }) => path !== 'CHANGELOG.md').flatMap(commandsOf);

  it('are found in the documents', () => {
    expect(lines.length).toBeGreaterThan(60);
  });

  it('name commands and options that exist', async () => {
    const wrong: string[] = [];
    for (const { path, line, argv } of lines) {
      const fault = await faultOf(argv);
      if (fault !== undefined) wrong.push(`${path}: ${line}: ${fault}`);
    }
    expect(wrong).toEqual([]);
  });

  it('of the recorded session exist, too', async () => {
    const recorded = commandsOf(readRecording());
    expect(recorded.length).toBeGreaterThan(5);
    for (const { argv } of recorded) expect(await faultOf(argv)).toBeUndefined();
  });

  it('that do not exist are noticed', async () => {
    expect(await faultOf(['workspace', 'fly'])).toContain('fly');
    expect(await faultOf(['run', 'debian:12', '--wings', '2', '--', 'true'])).toContain('--wings');
    expect(await faultOf(['mcp', 'serve', '--mode', 'fly'])).toContain('repro-fix');
    expect(splitCommands('git diff | A=1 pyro x "a b" < f && pyro y # pyro z')).toEqual([
      ['git', 'diff'],
      ['A=1', 'pyro', 'x', 'a b'],
      ['pyro', 'y'],
    ]);
  });
});

/** What the command tree says against these arguments; nothing runs. */
async function faultOf(words: readonly string[]): Promise<string | undefined> {
  const at = words.indexOf('--');
  const own = at < 0 ? words : words.slice(0, at);
  if (own.length === 1 && own[0] === '--version') return undefined;
  const program = createProgram('0', at >= 0 && at < words.length - 1, async () => undefined);
  const servers = { mcp: async () => 0, daemon: async () => 0 };
  addServers(program, servers, AbortSignal.abort(), () => undefined);
  silence(program);
  try {
    await program.parseAsync([...own], { from: 'user' });
    return undefined;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return text === '(outputHelp)' && own.at(-1) === '--help' ? undefined : `${own.join(' ')}: ${text}`;
  }
}

function silence(command: Command): void {
  command.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  command.commands.forEach(silence);
}
