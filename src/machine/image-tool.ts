// qemu-img, shut in as QEMU is: what it reads a guest may have written, so it sees the files of its call and nothing else.
import { open } from 'node:fs/promises';
import { type CommandResult, runCommand, tryCommand } from '../system/command.ts';
import { failureOf } from '../system/command-errors.ts';
import { findProgram } from '../system/find-program.ts';
import { type Confinement, filesOfProgram, programEnvironment } from './confinement.ts';
import { fileBytes, giveFiles, takeBack, userOf } from './confinement-plan.ts';

const tool = 'qemu-img';
/** Exit code and first words of the launcher where it could not shut in the program, and has not started it */
const [notStarted, launcherWords] = [125, 'confine: '];

export interface ToolCall {
  readonly args: readonly string[];
  /** Files that it reads, by their absolute paths */
  readonly read?: readonly string[];
  /** Files that it writes, which stand there already */
  readonly write: readonly string[];
  /** Largest size of a disk that it writes, `MiB` */
  readonly sizeMib: number;
}

/** Runs it to its end, which is at once where the call is cancelled or we are gone. Throws as {@link runCommand}. */
export async function runImageTool(confinement: Confinement, call: ToolCall, signal: AbortSignal): Promise<void> {
  const { form } = confinement;
  const program = findProgram(tool);
  if (form === undefined || program === undefined) return await runPlain(call, signal);
  const { read = [], write } = call;
  const wish = form.ownUser ? userOf(write[0] ?? '') : 0;
  const uid = await giveFiles(confinement, wish, { read, own: write, taken: [...read, ...write] });
  try {
    const spec = {
      line: [program, ...call.args],
      namespaces: form.namespaces,
      user_namespace: form.userNamespace,
      uid,
      landlock: form.landlock,
      read: [...(await filesOfProgram(program)), ...read],
      write,
      limits: { open_files: 1024, file_bytes: fileBytes(call.sizeMib) },
      descriptors: 3,
      environment: programEnvironment(),
    };
    const ending = await startShutIn(confinement.launcher, spec, longestMs(call.sizeMib), signal);
    if (ending.exitCode === 0) return;
    if (ending.exitCode !== notStarted || !ending.stderr.startsWith(launcherWords)) throw failureOf(tool, tool, ending);
    // A tool that is less confined is better than a disk that nobody gets at: what it opens was looked at before.
    confinement.onFailure(`${tool}: ${ending.stderr.trim()}`);
    await runPlain(call, signal);
  } finally {
    for (const path of write) await takeBack(path);
  }
}

/** Longer than the slowest disk takes for it, `ms`: one that hangs is not waited for without an end. */
function longestMs(sizeMib: number): number {
  return 60_000 + sizeMib * 1000;
}

async function runPlain({ args, sizeMib }: ToolCall, signal: AbortSignal): Promise<void> {
  await runCommand(tool, args, { signal, timeoutMs: longestMs(sizeMib), cwd: '/' });
}

async function startShutIn(
  launcher: string,
  spec: object,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<CommandResult> {
  // The launcher tells the process id of the program there, which nobody wants to know.
  await using nowhere = await open('/dev/null', 'w');
  return await tryCommand(launcher, [`pyro-${tool}`], {
    signal,
    timeoutMs,
    cwd: '/',
    env: { PYRO_CONFINE: JSON.stringify(spec) },
    isEnvWhole: true,
    // The first process of a namespace takes no request to end.
    endsAtOnce: true,
    descriptors: [nowhere.fd, nowhere.fd],
  });
}
