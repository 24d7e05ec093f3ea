// The output of a command from its first byte on, as it is, and then what comes, until it ends or the reader leaves.
import type { Writable } from 'node:stream';
import { PyroError } from '../shared/errors.ts';
import { writeTo } from '../shared/write-to.ts';
import type { CommandRecord, StreamName } from './command-log.ts';
import type { FollowRequest } from './command-types.ts';
import { waitForAny } from './waiting.ts';
import type { Workspace } from './workspace.ts';
import type { WorkspaceCall } from './workspace-types.ts';

const pieceBytes = 262_144;
/** A command whose session was broken is followed again by others; whoever reads its file looks so often, `ms` */
const lookMs = 1000;

/** Gives the last line for the person. Without a sequence: the newest command. */
export async function followCommand(
  workspace: Workspace,
  { sequence: given, stream, io }: FollowRequest,
  call: WorkspaceCall,
): Promise<string> {
  const sequence = given ?? workspace.log.all().at(-1)?.sequence;
  if (sequence === undefined) {
    throw new PyroError('command_unknown', 'no command was run in this workspace', {
      hint: 'pyro workspace exec runs one',
    });
  }
  workspace.log.get(sequence);
  const sinks: (readonly [StreamName, Writable | undefined])[] = [
    ['stdout', io.stdout],
    ['stderr', io.stderr],
  ];
  const wanted = sinks.filter(([name]) => stream === 'both' || stream === name);
  const undo = io.onStarted({ signal: () => undefined, resize: () => undefined });
  try {
    await Promise.all(wanted.map(([name, sink]) => copy(workspace, sequence, name, sink, call.signal)));
  } finally {
    undo();
  }
  return describe(workspace.log.get(sequence));
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
    const { ended_at: endedAt } = workspace.log.get(sequence);
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
  return `[logs] command ${sequence} ${end}${cut ? '; what it wrote after the first 256 MiB of a stream was not kept' : ''}\n`;
}
