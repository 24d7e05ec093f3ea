// Hints: each error code that somebody can mend has one, and each speaks in the words of whoever is told.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { factsOf } from '../../../src/mcp/catalogue.ts';
import { selectTools } from '../../../src/mcp/tools.ts';
import { operations } from '../../../src/operations/index.ts';
import { errorHints } from '../../../src/shared/error-hints.ts';
import { inWords, PyroError, reportError } from '../../../src/shared/errors.ts';
import { commandCall, hintCall, methodCall, toolCall, withCalls } from '../../../src/shared/hint-words.ts';
import { serverOptionsSchema } from '../../../src/shared/server-options.ts';

const catalogue = factsOf(operations);
const byName = new Map(operations.map(({ definition }) => [definition.name, definition]));
const toolNames = catalogue.map(({ name }) => name);
/** Nothing can be done about these but what their message says */
const hopeless = ['cancelled', 'output_closed'];
const root = new URL('../../../src', import.meta.url).pathname;
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.generated.ts'))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

function wordsOf(profile: 'workspace-core' | 'workspace-full') {
  const tools = selectTools(catalogue, serverOptionsSchema.parse({ profile }));
  return toolCall(new Map(tools.map(({ facts, name }) => [facts.operation, name])));
}

describe('the table of hints', () => {
  it('has one for each code that somebody can mend', () => {
    const without = Object.entries(errorHints).filter(([, hint]) => hint === null || hint.length < 8);
    expect(without.map(([code]) => code)).toEqual(hopeless);
  });

  it('speaks where whoever throws says nothing, and not where one does', () => {
    expect(new PyroError('user_unknown', 'no such user').hint).toContain('root');
    expect(new PyroError('user_unknown', 'no such user', { hint: 'mine' }).hint).toBe('mine');
    expect(reportError(new PyroError('cancelled', 'cancelled')).hint).toBeNull();
  });
});

describe('a call in a hint', () => {
  const hint = `its output: ${hintCall('workspace.logs', { workspace_id: '6f1e538c0e71', sequence: 3 })}; or wait`;

  it.each([
    ['a command', commandCall, 'its output: pyro workspace logs 6f1e538c0e71 --sequence 3; or wait'],
    ['a tool', wordsOf('workspace-core'), 'its output: workspace_logs workspace_id=6f1e538c0e71 sequence=3; or wait'],
    ['a method', methodCall, 'its output: workspace.logs({ workspace_id: "6f1e538c0e71", sequence: "3" }); or wait'],
  ])('is shown as %s', (_name, words, shown) => {
    expect(withCalls(hint, words)).toBe(shown);
    const error = inWords(new PyroError('command_ended', 'over', { hint, details: { a: 1 } }), words);
    expect(error).toMatchObject({ hint: shown, code: 'command_ended', details: { a: 1 } });
    expect(reportError(new PyroError('command_ended', 'over', { hint }), words).hint).toBe(shown);
  });

  it('names no tool that the profile does not have', () => {
    const start = hintCall('workspace.start', { workspace_id: '6f1e538c0e71' });
    expect(withCalls(start, wordsOf('workspace-full'))).toBe('workspace_start workspace_id=6f1e538c0e71');
    expect(withCalls(start, wordsOf('workspace-core'))).not.toContain('workspace_start');
    expect(withCalls(start, wordsOf('workspace-core'))).toContain('pyro workspace start 6f1e538c0e71');
  });

  it('is left as it stands where it is none of ours', () => {
    for (const text of ['[[ -f a ]] && b', '[[Upper.case]]', '[[a.b c=d e]]', '[[]]']) {
      expect(withCalls(text, commandCall)).toBe(text);
    }
    expect(hintCall('env.pull', { environment: 'a b', source: 'x]y' })).toBe('[[env.pull]]');
  });

  it('is one of an operation that is there, with arguments that it takes', () => {
    const calls = [...sources.map(({ text }) => text)].flatMap((text) => [
      ...text.matchAll(/hintCall\('([a-z._]+)'(?:, \{([^}]*)\})?\)/g),
    ]);
    expect(calls.length).toBeGreaterThan(30);
    for (const [, name = '', args = ''] of calls) {
      const known = Object.keys(byName.get(name)?.input.shape ?? {});
      const given = [...args.matchAll(/(?:^|, )\s*([a-z_]+)/g)].map(([, field]) => field);
      expect(byName.has(name), name).toBe(true);
      expect(
        given.filter((field) => !known.includes(field ?? '')),
        name,
      ).toEqual([]);
    }
  });
});

describe('hints in the source', () => {
  it('name tools by calls alone, so that each front shows its own words', () => {
    const found = sources.flatMap(({ path, text }) =>
      [...text.matchAll(/hint:\s*(['`][^\n]*)/g)]
        .map(([, hint = '']) => hint.replaceAll(/hintCall\([^)]*\)/g, ''))
        .filter((hint) => toolNames.some((tool) => hint.includes(tool)))
        .map((hint) => `${path}: ${hint}`),
    );
    expect(found).toEqual([]);
  });
});
