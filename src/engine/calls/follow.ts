// The output of a command from its first byte on, as it is, and then what comes, until it ends or the reader leaves.
import type { Writable } from 'node:stream';
import type { WorkspaceCall } from '../../contract/call.ts';
import type { LogsInput } from '../../contract/commands.ts';
import type { CommandRecord } from '../../contract/records.ts';
import { PyroError } from '../../shared/errors.ts';
import { hintCall } from '../../shared/hint-words.ts';
import { visible } from '../../shared/visible.ts';
import { waitForAny } from '../../shared/waiting.ts';
import { writeTo } from '../../shared/write-to.ts';
import type { CommandLog, StreamName } from '../commands/command-log.ts';
import type { Workspace } from '../workspace/workspace.ts';

const pieceBytes = 262_144;
/** How often the file is polled for a command whose session broke and is followed again by someone else, `ms` */
const lookMs = 1000;

/** How much of a command is shown when it is named, `characters` */
const shownCharacters = 60;

/** Gives the last line for the person. Without a sequence it first says which command it took. */
export async function followCommand(
  workspace: Workspace,
  { sequence: given, stream }: LogsInput,
  { io, signal }: WorkspaceCall,
): Promise<string> {
  if (io === undefined) throw new Error('this interface has no streams to follow output with');
  const chosen = given === undefined ? await chooseCommand(workspace.log) : undefined;
  const { sequence } = chosen?.record ?? (await workspace.log.get(given ?? 0));
  const sinks: (readonly [StreamName, Writable | undefined])[] = [
    ['stdout', io.stdout],
    ['stderr', io.stderr],
  ];
  const wanted = sinks.filter(([name]) => stream === 'both' || stream === name);
  const undo = io.onStarted({ signal: () => undefined, resize: () => undefined });
  try {
    if (chosen !== undefined && io.stderr !== undefined) await writeTo(io.stderr, chosen.told, signal);
    await Promise.all(wanted.map(([name, sink]) => copy(workspace, sequence, name, sink, signal)));
  } finally {
    undo();
  }
  return describe(await workspace.log.get(sequence));
}

/** The command meant when none is named: the newest running one, else the newest. Throws `command_unknown`. */
export async function chooseCommand(
  log: Pick<CommandLog, 'newest' | 'running'>,
): Promise<{ record: CommandRecord; told: string }> {
  const running = log.running();
  const record = running.at(-1) ?? (await newestOf(log));
  if (record === undefined) {
    throw new PyroError('command_unknown', 'no command was run in this workspace', {
      hint: `run one with: ${hintCall('workspace.exec')}`,
    });
  }
  const line = visible(record.command);
  const shown = line.length > shownCharacters ? `${line.slice(0, shownCharacters - 1)}…` : line;
  const state = running.length === 0 ? ', the last one' : running.length > 1 ? `, the newest of ${running.length}` : '';
  return { record, told: `[logs] command ${record.sequence}${state}: ${shown}\n` };
}

async function newestOf(log: Pick<CommandLog, 'newest'>): Promise<CommandRecord | undefined> {
  for await (const record of log.newest()) return record;
  return undefined;
}

async function copy(
  workspace: Workspace,
  sequence: number,
  stream: StreamName,
  sink: Writable | undefined,
  signal: AbortSignal,
): Promise<void> {
  for (let offset = 0; ; ) {
    const run = workspace.runs.get(sequence);
    const changed = run?.changed();
    // The record first: output that comes after its end does not exist.
    const { ended_at: endedAt } = await workspace.log.get(sequence);
    const bytes = await workspace.log.read(sequence, stream, offset, pieceBytes);
    if (bytes.length > 0) {
      if (sink !== undefined) await writeTo(sink, bytes, signal);
      offset += bytes.length;
    } else if (endedAt !== null) return;
    else
      await waitForAny(
        [changed, run?.done].filter((each) => each !== undefined),
        lookMs,
        signal,
      );
  }
}

function describe({ sequence, exit_code: exitCode, timed_out: timedOut, cut, lost }: CommandRecord): string {
  const end = lost ? 'was lost with its guest' : `ended with exit code ${exitCode}${timedOut ? ', timed out' : ''}`;
  return `[logs] command ${sequence} ${end}${cut ? '; output beyond the first 256 MiB of a stream was not kept' : ''}\n`;
}
