// Where a run takes place: a checkout of its own, a record of what is done, and no workspace left whatever happens.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../support/documents.ts';
import { type Check, createCheck } from './check.ts';
import { type Files, makeCheckout } from './checkout.ts';
import { deleteLeftovers } from './leftovers.ts';
import { createRecord, type RunRecord, type RunReport, writeReport } from './run-record.ts';

export interface RunOptions {
  readonly env: Readonly<Record<string, string>>;
  /** A folder of the run's name is made in it */
  readonly artifacts: string;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

export interface Scene {
  /** Temporary folder around the checkout */
  readonly folder: string;
  readonly project: string;
  readonly record: RunRecord;
  readonly check: Check;
  /** Name that no other run uses */
  readonly named: (name: string) => string;
  /** Label by which workspaces of this run are found again */
  readonly label: Readonly<Record<string, string>>;
}

export interface SceneRequest {
  readonly name: string;
  /** How the server is started, for people */
  readonly server: string;
  readonly files: Files;
  readonly uncommitted?: Files | undefined;
}

export interface Performance {
  readonly report: RunReport;
  /** Paths of what was written */
  readonly files: readonly string[];
}

/** Never throws for what goes wrong in the work: the report says it. */
export async function playScene(
  { name, server, files, uncommitted }: SceneRequest,
  { env, artifacts, signal, onLine }: RunOptions,
  work: (scene: Scene) => Promise<void>,
): Promise<Performance> {
  const mark = randomBytes(3).toString('hex');
  const label = { run: mark };
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'pyro-recipe-')));
  const project = join(folder, 'project');
  const places = new Map([
    [project, '~/project'],
    [folder, '~'],
    [root.replace(/\/$/, ''), '~/pyro'],
    [homedir(), '~'],
  ]);
  onLine(`${name}: ${server}`);
  const record = createRecord({ recipe: name, server, places, onLine });
  const check = createCheck(record);
  let failure: unknown;
  try {
    makeCheckout(project, files, uncommitted);
    await work({ folder, project, record, check, named: (word) => `${word}-${mark}`, label });
  } catch (error) {
    failure = signal.aborted ? new Error('interrupted') : error;
  }
  try {
    const left = await deleteLeftovers(`run=${mark}`, failure !== undefined, { cwd: '/', env });
    if (failure === undefined) check('the run has deleted its workspaces', left, []);
  } catch (error) {
    failure ??= error;
  }
  rmSync(folder, { recursive: true, force: true });
  const report = record.report(failure);
  onLine(report.passed ? `passed ${name}` : `FAILED ${name}: ${report.error}`);
  return { report, files: writeReport(join(artifacts, name), report) };
}
