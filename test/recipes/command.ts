// Programs of the host that a run starts: pyro itself, and what a person types in the checkout.
import { spawn } from 'node:child_process';
import type { HostResult } from './recipe.ts';

export interface CommandOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

interface Finished extends HostResult {
  readonly stdout: string;
}

export async function runCommand(
  file: string,
  args: readonly string[],
  { cwd, env, signal }: CommandOptions,
): Promise<Finished> {
  const child = spawn(file, args, {
    cwd,
    env: { ...env },
    // Out of reach of Ctrl-C: what deletes workspaces has to come to its end.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal === undefined ? {} : { signal }),
  });
  let stdout = '';
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8');
    output += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
  });
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { exitCode, stdout, output };
}

/** The person's own environment, without what would name another project than the one of the run. */
export function cleanEnvironment(): Record<string, string> {
  const { CLAUDE_PROJECT_DIR: _project, ...inherited } = process.env;
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(inherited)) {
    if (value !== undefined && !name.startsWith('GIT_')) env[name] = value;
  }
  return env;
}
