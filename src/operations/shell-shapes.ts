// Fields and texts that the shell operations share.

import type { z } from 'zod';
import type { shellSchema } from '../contract/shells.ts';

type ShellOutput = z.infer<typeof shellSchema>;

export function describeShell(shell: ShellOutput): string {
  return `shell ${shell.shell_id}: ${describeState(shell)}, ${shell.cols}x${shell.rows}, ${shell.output_bytes} bytes of output`;
}

export function describeState({ state, lost, exit_code: exitCode }: ShellOutput): string {
  if (state === 'running') return 'running';
  return lost ? 'ended with its guest' : `ended, exit_code ${exitCode}`;
}
