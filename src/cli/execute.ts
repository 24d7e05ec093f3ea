// One command from arguments to exit code.

import { type FrontContext, followOperation, invokeOperation } from '../daemon/client.ts';
import type { Outcome } from '../operations/define.ts';
import { workspaceFieldOf } from '../operations/workspace-reference.ts';
import { isPyroError, PyroError, reportError } from '../shared/errors.ts';
import { commandCall } from '../shared/hint-words.ts';
import { mayGoOn } from './ask.ts';
import { checkInput } from './check-call.ts';
import { type CommandCall, withRest } from './command.ts';
import { projectOf, userDefaults, withWorkspaceHere } from './front.ts';
import { readInputField } from './input-field.ts';
import { type Interrupts, installInterrupts } from './interrupts.ts';
import { createLiveIo, createOutputIo } from './live-io.ts';
import { inOptionWords } from './option-names.ts';
import { type NextPage, printPages, wantsAllPages } from './pages.ts';
import { exitUsage, parseArguments } from './parse.ts';
import { readPipedValues } from './piped-values.ts';
import { printCommand, printError, printJson } from './print.ts';
import { createProgram, groupCommands } from './program.ts';
import { createProgressPrinter, type ProgressPrinter } from './progress-printer.ts';
import { addServers } from './server-program.ts';
import type { Servers } from './servers.ts';
import { resultWidth, writeNote, writeOverInterrupt } from './terminal.ts';

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
  const program = createProgram(version, rest.length > 0, async (call) => {
    exitCode = await callOperation(withRest(call, rest), interrupts);
  });
  addServers(program, servers, interrupts.signal, (code) => {
    exitCode = code;
  });
  groupCommands(program);
  return (await parseArguments(program, own)) ?? exitCode;
}

async function callOperation(call: CommandCall, interrupts: Interrupts): Promise<number> {
  const progress = createProgressPrinter(call.isQuiet);
  try {
    if (call.several.length > 0) return await callEach(call, interrupts, progress);
    const { exitCode, print } = await callOnce(call, interrupts, progress);
    return await thenPrint(exitCode, print);
  } catch (error) {
    progress.end();
    const { json } = call;
    if (interrupts.signal.aborted) return await thenPrint(exitInterrupted, () => printInterrupted(interrupts, json));
    if (isPyroError(error, 'output_closed')) return exitClosed;
    // Told by the streams themselves, at the end.
    if (isPyroError(error, 'output_failed')) return 1;
    return await thenPrint(exitCodeOf(error), () => printError(inOptionWords(call.operation, error), json));
  }
}

async function printInterrupted(interrupts: Interrupts, json: boolean): Promise<void> {
  const left = interrupts.leftRunning();
  if (left !== undefined && !json)
    writeOverInterrupt(`[detached] the command keeps running; follow it with: ${left}\n`);
  if (!json) return;
  const hint = left === undefined ? {} : { hint: `the command keeps running; follow it with: ${left}` };
  await printError(new PyroError('cancelled', left === undefined ? 'interrupted' : 'detached', hint), true);
}

interface Finished {
  readonly exitCode: number;
  readonly output: unknown;
  readonly print: () => Promise<void>;
}

/** One call to its end; what it has to print is still to be printed. */
async function callOnce(given: CommandCall, interrupts: Interrupts, progress: ProgressPrinter): Promise<Finished> {
  const { operation, json } = given;
  const { signal } = interrupts;
  const { isLive, terminal = 'auto', pages } = operation.definition;
  const wish = {
    ...given,
    wantsInput: given.wantsInput || terminal === 'never',
    takesTerminal: terminal === 'auto' && !json,
    isCaptured: json,
    isRaw: given.wantsRawTerminal,
  };
  const live = isLive === true ? createLiveIo(interrupts, wish, progress.end) : undefined;
  using _live = live;
  const context: FrontContext = {
    io: live?.io,
    signal,
    onProgress: progress.onProgress,
    // A person at the command line may name any path that the system lets them.
    hostPaths: 'any',
    project: await projectOf(given),
    network: undefined,
  };
  const call = await withWorkspaceHere(given, context);
  const defaults = await userDefaults(call);
  const piped = { ...(await readInputField(call, signal)), ...(await readPipedValues(call, signal)) };
  const input = checkInput(call, defaults, piped);
  if (call.follows) {
    if (json)
      throw new PyroError('usage', '--follow prints output as it arrives, not JSON', { hint: 'leave out --json' });
    using shown = createOutputIo(interrupts, call.wantsRawTerminal, progress.end);
    const last = await followOperation(operation, input, { ...context, io: shown.io });
    return {
      exitCode: 0,
      output: undefined,
      print: async () => (interrupts.wasInterrupted() ? writeOverInterrupt(last) : writeNote(last)),
    };
  }
  if (!(await mayGoOn(call, input, context, progress)))
    return { exitCode: 1, output: undefined, print: async () => writeNote('nothing was done\n') };
  const outcome = await invokeOperation(operation, input, context);
  progress.end();
  const nextPage = (field: string): NextPage => {
    return async (cursor) => await invokeOperation(operation, { ...input, [field]: cursor }, context);
  };
  const print = async (): Promise<void> =>
    pages !== undefined && wantsAllPages(call)
      ? await printPages(call, outcome, nextPage(pages.cursor), signal)
      : await printOutcome(call, outcome, signal);
  return { exitCode: outcome.exitCode, output: outcome.output, print };
}

/** Each workspace by itself: what goes wrong with one is told and hides nothing of the others. */
async function callEach(call: CommandCall, interrupts: Interrupts, progress: ProgressPrinter): Promise<number> {
  const field = workspaceFieldOf(call.operation) ?? '';
  const results: unknown[] = [];
  let exitCode = 0;
  for (const word of call.several) {
    try {
      const one = { ...call, several: [], input: { ...call.input, [field]: word } };
      const finished = await callOnce(one, interrupts, progress);
      results.push(finished.output);
      if (finished.exitCode !== 0) exitCode = 1;
      if (!call.json) await thenPrint(exitCode, finished.print);
    } catch (error) {
      progress.end();
      if (interrupts.signal.aborted) throw error;
      const told = inOptionWords(call.operation, error);
      results.push({ [field]: word, error: reportError(told, commandCall) });
      if (!call.json) await printError(told, false);
      exitCode = 1;
    }
  }
  return call.json ? await thenPrint(exitCode, () => printJson({ results }, interrupts.signal)) : exitCode;
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
  else if (call.isQuiet) await printCommand({ stdout: outcome.ids.map((id) => `${id}\n`).join('') }, false, signal);
  else if (call.operation.definition.isLive === true) writeNote(outcome.command().stderr ?? outcome.text);
  else await printCommand(outcome.command(resultWidth()), call.wantsRawTerminal, signal);
}

function exitCodeOf(error: unknown): number {
  if (isPyroError(error, 'usage')) return exitUsage;
  if (isPyroError(error, 'command_not_found')) return 127;
  if (isPyroError(error, 'command_not_executable')) return 126;
  return 1;
}
