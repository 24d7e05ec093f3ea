// Runs a shell line at a terminal of a known kind, whatever the one around the tests is and whether there is one.
import { spawnSync } from 'node:child_process';

export interface AtTerminal {
  readonly status: number | null;
  /** All that was written, with the terminal's own line ends and orders */
  readonly shown: string;
}

/** What Node reads to find out whether a terminal has colours: continuous integration sets some */
const aboutTerminals = new Set(['NO_COLOR', 'FORCE_COLOR', 'NODE_DISABLE_COLORS', 'COLORTERM', 'CI', 'TMUX']);

export function atTerminal(line: string, typed = '', env: Readonly<Record<string, string>> = {}): AtTerminal {
  const around = Object.entries(process.env).filter(([name]) => !aboutTerminals.has(name));
  const { status, stdout } = spawnSync('script', ['-qec', line, '/dev/null'], {
    env: { ...Object.fromEntries(around), TERM: 'xterm-256color', ...env },
    encoding: 'utf8',
    input: typed,
  });
  return { status, shown: stdout };
}
