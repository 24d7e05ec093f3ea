// Git on repositories of the host: never writes to them, runs no hook and no monitor of theirs.
import { PyroError } from '../shared/errors.ts';
import { captureBytes, tryCommand } from '../system/command.ts';

const environment = {
  // Reading must not refresh the index of the person's own checkout.
  GIT_OPTIONAL_LOCKS: '0',
  GIT_TERMINAL_PROMPT: '0',
  GIT_NO_LAZY_FETCH: '1',
  LC_ALL: 'C',
};
const settings = ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '-c', 'protocol.ext.allow=never'];

/** Output of git in a folder. Throws `tool_failed`, or `seed_unsupported` for a checkout of another user. */
export async function git(
  cwd: string,
  args: readonly string[],
  options: { readonly signal: AbortSignal; readonly input?: Uint8Array },
): Promise<Buffer> {
  try {
    return await captureBytes('git', [...settings, ...args], { cwd, env: environment, ...options });
  } catch (error) {
    if (error instanceof PyroError && /dubious ownership/.test(error.message)) {
      throw new PyroError('seed_unsupported', `${cwd} belongs to another user, so Git does not trust it`, {
        hint: `if you do: git config --global --add safe.directory ${cwd}`,
        cause: error,
      });
    }
    throw error;
  }
}

/** What git answers, also when it fails on the way, as for a branch that follows none. */
export async function gitAnswer(cwd: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  return (await tryCommand('git', [...settings, ...args], { cwd, env: environment, signal })).stdout;
}

/** The one line that git answers; undefined when it fails. */
export async function gitLine(cwd: string, args: readonly string[], signal: AbortSignal): Promise<string | undefined> {
  const result = await tryCommand('git', [...settings, ...args], { cwd, env: environment, signal });
  return result.exitCode === 0 ? result.stdout.replace(/\n$/, '') : undefined;
}

/** Splits `-z` output. */
export function splitZero(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0, start);
    const stop = end < 0 ? bytes.length : end;
    parts.push(bytes.subarray(start, stop));
    start = stop + 1;
  }
  return parts;
}
