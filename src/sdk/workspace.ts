// A workspace as an object: its operations without the id, the streaming exec, and its end.
import { isPyroError } from '../shared/errors.ts';
import { callByName } from './call.ts';
import type { CallByName, CallOptions } from './call-options.ts';
import { type ExecEvent, type ExecStreamInput, execStream } from './exec-stream.ts';
import type { OutputOf, WorkspaceMethods } from './method-types.ts';
import { workspaceMethodsOf } from './methods.ts';

/** Its instances have a method for each operation on the workspace. */
const WorkspaceBase = baseOf();

export class Workspace extends WorkspaceBase {
  readonly id: string;

  constructor(call: CallByName, id: string) {
    super(call, id);
    this.id = id;
  }

  /**
   * Runs a command and gives its output while it comes; the last event is its end.
   * Leaving the loop early, or aborting the signal, kills the command.
   */
  execStream(input: ExecStreamInput, options?: CallOptions): AsyncGenerator<ExecEvent, void, undefined> {
    const { exec, logs, id } = this;
    // By no signal of the program: it must also work when that is aborted.
    const kill = (sequence: number): Promise<unknown> =>
      callByName('workspace.exec_signal', { workspace_id: id, sequence, signal_name: 'KILL' });
    return execStream({ exec, logs, kill }, input, options);
  }
}

/** A workspace that the program has made: `await using` deletes it, unless {@link OwnedWorkspace.keep} was called. */
export class OwnedWorkspace extends Workspace implements AsyncDisposable {
  /** As it was created */
  readonly created: OutputOf<'workspace.create'>;
  #isKept = false;

  constructor(call: CallByName, created: OutputOf<'workspace.create'>) {
    super(call, created.workspace_id);
    this.created = created;
  }

  /** The workspace lives on after `await using`. */
  keep(): void {
    this.#isKept = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isKept) return;
    try {
      await callByName('workspace.delete', { workspace_id: this.id });
    } catch (error) {
      // It was deleted before.
      if (!isPyroError(error, 'workspace_unknown')) throw error;
    }
  }
}

function baseOf(): new (call: CallByName, id: string) => WorkspaceMethods;
function baseOf(): object {
  return class {
    constructor(call: CallByName, id: string) {
      Object.assign(this, workspaceMethodsOf(call, id));
    }
  };
}
