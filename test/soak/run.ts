// make soak: all parts, one after the other, each with its own line and figures; the last lines are all of them again.
//
//   node test/soak/run.ts [PART...]      all parts without a name; SOAK_MINUTES for the length of `mixed`
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { root } from '../support/documents.ts';
import { type Part, parts } from './parts.ts';

const names = process.argv.slice(2).flatMap((word) => word.split(/[\s,]+/).filter((name) => name !== ''));
const unknown = names.filter((name) => !parts.some((part) => part.name === name));
if (unknown.length > 0) {
  process.stderr.write(`no part ${unknown.join(', ')}; there are: ${parts.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}

const artifacts = join(root, 'artifacts', 'soak');
const countsSchema = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  success: z.boolean(),
});
/** A part that is told to end has so long to delete what it has made, `ms` */
const graceMs = 120_000;
let current: ReturnType<typeof spawn> | undefined;
let isInterrupted = false;
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    isInterrupted = true;
    current?.kill(name);
  });
}

function argumentsOf({ script, project = 'unit', files = [], without = [] }: Part, report: string): string[] {
  if (script !== undefined) return [join(root, script)];
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const left = without.flatMap((file) => ['--exclude', file]);
  const output = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  return [vitest, 'run', '--project', project, ...files, ...left, ...output];
}

function figuresOf(report: string): string {
  try {
    const counts = countsSchema.parse(JSON.parse(readFileSync(report, 'utf8')));
    return `${counts.numPassedTests} passed, ${counts.numFailedTests} failed, ${counts.numPendingTests} skipped`;
  } catch {
    return 'no counts: it came to no end';
  }
}

/** Runs one part to its end, or to the end of its time; gives its line. */
async function perform(part: Part): Promise<{ readonly line: string; readonly isGood: boolean }> {
  const report = join(artifacts, `${part.name}.tests.json`);
  rmSync(report, { force: true });
  const startedAt = performance.now();
  const child = spawn(process.execPath, argumentsOf(part, report), {
    cwd: root,
    env: { ...process.env, PYRO_SOAK: '1' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  current = child;
  let isLate = false;
  const deadline = setTimeout(() => {
    isLate = true;
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), graceMs).unref();
  }, part.minutes * 60_000);
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  clearTimeout(deadline);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const figures = part.script === undefined ? figuresOf(report) : `exit code ${code}`;
  const isGood = code === 0 && !isLate;
  const late = isLate ? `, not done within ${part.minutes} minutes` : '';
  return { line: `${isGood ? 'ok  ' : 'FAIL'} soak/${part.name}: ${figures}, ${seconds} s${late}`, isGood };
}

mkdirSync(artifacts, { recursive: true });
const lines: string[] = [];
let isGood = true;
for (const part of parts.filter(({ name }) => names.length === 0 || names.includes(name))) {
  if (isInterrupted) break;
  process.stdout.write(`\nsoak/${part.name} begins, at most ${part.minutes} minutes\n`);
  const done = await perform(part);
  process.stdout.write(`${done.line}\n`);
  lines.push(done.line);
  isGood &&= done.isGood;
}
process.stdout.write(`\n${lines.join('\n')}\n`);
process.exitCode = isInterrupted ? 130 : isGood ? 0 : 1;
