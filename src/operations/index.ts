// The list of all operations.
import type { AnyOperation } from './define.ts';
import { envInspect, envList, envPrune, envPull } from './env.ts';
import { demo, doctor } from './host.ts';
import { run } from './run.ts';

export const operations: readonly AnyOperation[] = [doctor, envList, envInspect, envPull, envPrune, run, demo];

/** What each first word of a command is about. */
export const groups: Readonly<Record<string, string>> = { env: 'Environments: the catalogue and the local cache' };
