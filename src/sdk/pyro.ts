// The client: every operation as a method, and workspaces as objects.
import type { OnProgress } from '../shared/progress.ts';
import { callByName } from './call.ts';
import type { CallByName, CallOptions } from './call-options.ts';
import type { InputOf, Methods } from './method-types.ts';
import { methodsOf } from './methods.ts';
import { OwnedWorkspace, Workspace } from './workspace.ts';

export interface PyroOptions {
  /** For calls that bring none of their own */
  readonly onProgress?: OnProgress | undefined;
  /** Cancels every call */
  readonly signal?: AbortSignal | undefined;
}

export interface Workspaces {
  /** Makes a workspace that `await using` deletes. */
  readonly create: (input?: InputOf<'workspace.create'>, options?: CallOptions) => Promise<OwnedWorkspace>;
  /** A workspace that is there already; nothing is asked of it, and it stays. */
  readonly open: (id: string) => Workspace;
}

/** Base class whose instances have a method for each operation. */
const PyroBase = baseOf();

/** Works on the workspaces of this user, as the command line does; the environment variables of pyro hold. */
export class Pyro extends PyroBase {
  readonly workspaces: Workspaces;

  constructor(options: PyroOptions = {}) {
    const call = withOptions(options);
    super(call);
    this.workspaces = {
      create: async (input = {}, more) => new OwnedWorkspace(call, await this.workspace.create(input, more)),
      open: (id) => new Workspace(call, id),
    };
  }
}

function withOptions({ onProgress, signal: life }: PyroOptions): CallByName {
  return async (name, input, options = {}) => {
    const signals = [life, options.signal].filter((signal) => signal !== undefined);
    return await callByName(name, input, {
      ...options,
      onProgress: options.onProgress ?? onProgress,
      signal: signals.length > 1 ? AbortSignal.any(signals) : signals[0],
    });
  };
}

function baseOf(): new (call: CallByName) => Methods;
function baseOf(): object {
  return class {
    constructor(call: CallByName) {
      Object.assign(this, methodsOf(call));
    }
  };
}
