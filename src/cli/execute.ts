// One command from arguments to exit code.

import { type FrontContext, followOperation, invokeOperation } from '../daemon/client.ts';
import type { Outcome } from '../operations/define.ts';
import { absolutePaths } from '../operations/host-path-input.ts';
import { describeFault } from '../operations/input-fault.ts';
import { isPyroError, PyroError } from '../shared/errors.ts';
import { readInputField } from './input-field.ts';
import { type Interrupts, installInterrupts } from './interrupts.ts';
import { createLiveIo, createOutputIo } from './live-io.ts';
import { type NextPage, printPages, wantsAllPages } from './pages.ts';
import { exitUsage, parseArguments } from './parse.ts';
import { readPipedValues } from './piped-values.ts';
import { createProgressPrinter, printCommand, printError, printJson, printNote } from './print.ts';
import { type CommandCall, createProgram } from './program.ts';
import { addServers } from './server-program.ts';
import type { Servers } from './servers.ts';

const exitInterrupted = 130;
/** As of a program that the signal of a closed pipe ends */
const exitClosed = 141;

/** Runs a command line (without node and script) and gives the exit code. */
export async function execute(argv: readonly string[], version: string, servers: Servers): Promise<number> {
  const at = argv.indexOf('--');
  const own = at < 0 ? argv : argv.slice(0, at);
  const rest = at < 0 ? [] : argv.slice(at + 1);
  const interrupts = installInterrupts();
  let exitCode = 0;
  const program = createProgram(version, rest, async (call) => {
    exitCode = await callOperation(call, interrupts);
  });
  addServers(program, servers, interrupts.signal, (code) => {
    exitCode = code;
  });
  return (await parseArguments(program, own)) ?? exitCode;
}

async function callOperation(call: CommandCall, interrupts: Interrupts): Promise<number> {
  const { operation, json } = call;
  const progress = createProgressPrinter();
  try {
    const { isLive, terminal = 'auto' } = operation.definition;
    const wish = { ...call, takesTerminal: terminal === 'auto' && !json, isCaptured: json };
    const io = isLive === true ? createLiveIo(interrupts, wish, progress.end) : undefined;
    const piped = { ...(await readInputField(call)), ...(await readPipedValues(call, interrupts.signal)) };
    const input = checkInput(call, piped);
    const context: FrontContext = {
      io,
      signal: interrupts.signal,
      onProgress: progress.onProgress,
      // A person at the command line may name any path that the system lets them.
      hostPaths: 'any',
      project: undefined,
      network: undefined,
    };
    if (call.follows) {
      if (json) throw new PyroError('usage', '--follow shows output as it comes, not JSON');
      printNote(await followOperation(operation, input, { ...context, io: createOutputIo(interrupts, progress.end) }));
      return 0;
    }
    const outcome = await invokeOperation(operation, input, context);
    progress.end();
    const nextPage = (field: string): NextPage => {
      return async (cursor) => await invokeOperation(operation, { ...input, [field]: cursor }, context);
    };
    const { pages } = operation.definition;
    const print = async (): Promise<void> =>
      pages !== undefined && wantsAllPages(call)
        ? await printPages(call, outcome, nextPage(pages.cursor), interrupts.signal)
        : await printOutcome(call, outcome, interrupts.signal);
    return await thenPrint(outcome.exitCode, print);
  } catch (error) {
    progress.end();
    if (interrupts.signal.aborted) return await thenPrint(exitInterrupted, () => printInterrupted(interrupts, json));
    if (isPyroError(error, 'output_closed')) return exitClosed;
    // Told by the streams themselves, at the end.
    if (isPyroError(error, 'output_failed')) return 1;
    return await thenPrint(exitCodeOf(error), () => printError(error, json));
  }
}

async function printInterrupted(interrupts: Interrupts, json: boolean): Promise<void> {
  const left = interrupts.leftRunning();
  if (left !== undefined && !json) printNote(`[detached] the command goes on; follow it with: ${left}\n`);
  if (!json) return;
  const hint = left === undefined ? {} : { hint: `the command goes on; follow it with: ${left}` };
  await printError(new PyroError('cancelled', left === undefined ? 'interrupted' : 'detached', hint), true);
}

/** A reader that has gone before the result does not change how the command went. */
async function thenPrint(exitCode: number, print: () => Promise<void>): Promise<number> {
  try {
    await print();
  } catch (error) {
    if (!isPyroError(error, 'output_closed')) throw error;
  }
  return exitCode;
}

async function printOutcome(call: CommandCall, outcome: Outcome, signal: AbortSignal): Promise<void> {
  if (call.json) await printJson(outcome.output, signal);
  else if (call.isQuiet) await printCommand({ stdout: outcome.ids.map((id) => `${id}\n`).join('') }, signal);
  else if (call.operation.definition.isLive === true) printNote(outcome.command.stderr ?? outcome.text);
  else await printCommand(outcome.command, signal);
}

function exitCodeOf(error: unknown): number {
  if (isPyroError(error, 'usage')) return exitUsage;
  if (isPyroError(error, 'command_not_found')) return 127;
  if (isPyroError(error, 'command_not_executable')) return 126;
  return 1;
}

/** The whole input, with absolute paths; each fault becomes one line that names the option. */
function checkInput(
  { operation, input: given }: CommandCall,
  fromStandardInput: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const whole: Record<string, unknown> = { ...operation.definition.commandDefaults, ...given, ...fromStandardInput };
  const input = { ...whole, ...absolutePaths(whole, operation.definition.hostPathFields ?? [], process.cwd()) };
  const parsed = operation.definition.input.safeParse(input);
  if (parsed.success) return input;
  const faults = parsed.error.issues.map((issue) => {
    const field = issue.path.map(String).join('.').replaceAll('_', '-');
    return `${field === '' ? '' : `${field}: `}${describeFault(issue)}`;
  });
  throw new PyroError('usage', faults.join('; '), {
    hint: `pyro ${operation.definition.name.replaceAll('.', ' ')} --help shows the options; example: ${operation.definition.examples[0]?.command ?? ''}`,
  });
}
