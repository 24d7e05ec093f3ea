// What one run has done: calls with input, result and time, and what was checked. Written as Markdown and as JSON.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatDuration } from '../../src/shared/units.ts';

export interface Step {
  readonly call: string;
  readonly input: string;
  readonly result: string;
  readonly ms: number;
}

export interface RunReport {
  readonly recipe: string;
  readonly server: string;
  readonly started_at: string;
  readonly duration_ms: number;
  readonly passed: boolean;
  readonly error: string | null;
  readonly checks: readonly string[];
  readonly steps: readonly Step[];
}

export interface RunRecord {
  /** Gives back what to call with the result */
  readonly begin: (call: string, input: string) => (result: string) => void;
  readonly hold: (words: string) => void;
  readonly report: (error: unknown) => RunReport;
}

export interface RecordOptions {
  readonly recipe: string;
  readonly server: string;
  /** Paths of this machine, and what stands for them in what is written */
  readonly places: ReadonlyMap<string, string>;
  readonly onLine: (line: string) => void;
}

const longestCell = 110;

export function createRecord({ recipe, server, places, onLine }: RecordOptions): RunRecord {
  const startedAt = new Date();
  const started = performance.now();
  const steps: Step[] = [];
  const checks: string[] = [];
  const tidy = (text: string): string =>
    [...places].reduce((current, [path, word]) => current.replaceAll(path, word), text).trim();
  return {
    begin: (call, input) => {
      const began = performance.now();
      return (result) => {
        const step = { call, input: tidy(input), result: tidy(result), ms: Math.round(performance.now() - began) };
        steps.push(step);
        onLine(`  ${call} ${oneLine(step.input, 80)}  -> ${oneLine(step.result, 80)}  ${formatDuration(step.ms)}`);
      };
    },
    hold: (words) => {
      checks.push(words);
      onLine(`  ok    ${words}`);
    },
    report: (error) => ({
      recipe,
      server,
      started_at: startedAt.toISOString(),
      duration_ms: Math.round(performance.now() - started),
      passed: error === undefined,
      error: error === undefined ? null : tidy(error instanceof Error ? error.message : String(error)),
      checks,
      steps,
    }),
  };
}

/** Writes transcript.md and report.json, and gives their paths. */
export function writeReport(folder: string, report: RunReport): readonly string[] {
  mkdirSync(folder, { recursive: true });
  const outcome = report.passed ? 'passed' : `failed: ${oneLine(report.error ?? '', 400)}`;
  const text = [
    `# ${report.recipe}: ${outcome}`,
    '',
    `Server \`${report.server}\`, ${report.started_at.slice(0, 19).replace('T', ' ')} UTC, ${formatDuration(report.duration_ms)}.`,
    '',
    transcriptTable(report.steps, longestCell),
    '## What was checked',
    '',
    ...report.checks.map((words) => `- ${words}`),
    '',
  ].join('\n');
  const files = [
    ['transcript.md', text],
    ['report.json', `${JSON.stringify(report, null, 2)}\n`],
  ] as const;
  return files.map(([name, content]) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  });
}

export function transcriptTable(steps: readonly Step[], longest: number): string {
  const rows = steps.map(({ call, input, result, ms }) => {
    const [shownInput, shownResult] = [oneLine(input, longest), oneLine(result, longest)];
    return `| \`${call}\` | ${asCode(shownInput)} | ${asCode(shownResult)} | ${formatDuration(ms)} |`;
  });
  return ['| call | input | result | time |', '|---|---|---|--:|', ...rows, ''].join('\n');
}

function oneLine(text: string, longest: number): string {
  const flat = text
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ⏎ ')
    .replaceAll(/\s+/g, ' ');
  const characters = [...flat];
  return characters.length <= longest ? flat : `${characters.slice(0, longest - 1).join('')}…`;
}

function asCode(text: string): string {
  if (text === '' || text === '{}') return '';
  const fence = text.includes('`') ? '``' : '`';
  const space = text.includes('`') ? ' ' : '';
  return `${fence}${space}${text.replaceAll('|', '\\|')}${space}${fence}`;
}
