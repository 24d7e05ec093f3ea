// What a hostile guest gave, printed at a real terminal and through a pipe: neutral on the one, as it came through the other.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hostile } from '../support/print-hostile.ts';
import { atTerminal } from '../support/terminal.ts';

const program = join(import.meta.dirname, '../support/print-hostile.ts');
const E = '\u001b';
const shown = 'a\\x1b]0;PWNED\\x07\\x1b[31mred\\x1b[0m\\x1b]52;c;eA==\\x07b\r\n';

function there(kind: string): string {
  return atTerminal(`${process.execPath} ${program} ${kind}`).shown;
}

describe('at a terminal', () => {
  it('shows results, notes and errors with each control character visible', () => {
    expect(there('result')).toBe(`${shown}${shown}`);
    expect(there('note')).toBe(shown);
    expect(there('error')).toBe(`${E}[31merror${E}[39m: ${shown}\r\nhint: ${shown}\r\n`);
  });

  it('shows progress in one line, in which nothing of the guest is an order', () => {
    const text = there('progress');
    expect(text).toContain('a\\x1b]0;PWNED\\x07');
    expect(text).not.toContain(`${E}]`);
  });

  it.each(['content', 'live', 'screen'])(
    'gives %s with its colours and without its other orders, or raw where it is asked to',
    (kind) => {
      expect(there(kind)).toBe(`a${E}[31mred${E}[0mb\r\n`);
      expect(there(`raw-${kind}`)).toBe(hostile.replace('\n', '\r\n'));
    },
  );
});

describe('through a pipe', () => {
  it.each(['result', 'content', 'live', 'screen'])('gives %s as it came', (kind) => {
    expect(spawnSync(process.execPath, [program, kind], { encoding: 'utf8' }).stdout).toBe(hostile);
  });
});
