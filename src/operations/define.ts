// What an operation is: one definition, from which commands, tools, routes and reference pages are made.
import type { z } from 'zod';
import type { DaemonControl, RunIo } from '../contract/call.ts';
import type { Engine } from '../engine/engine.ts';
import type { CallContext } from '../shared/call-context.ts';
import type { HostPathPolicy, NetworkCeiling, ProjectSource } from '../shared/policy-types.ts';
import { misfit } from './check-input.ts';

/** Calls another operation where it belongs and gives its output, still to be checked. */
export type CallOperation = (
  name: string,
  input: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
) => Promise<unknown>;

export interface OperationContext extends CallContext {
  readonly engine: Engine;
  /** Live streams, where the front has them and the operation uses them */
  readonly io: RunIo | undefined;
  /** Which paths of the host the caller may name */
  readonly hostPaths: HostPathPolicy;
  /** Where a workspace comes from when the call names no seed */
  readonly project: ProjectSource | undefined;
  /** For the operations of a front that are made of others; absent elsewhere */
  readonly call?: CallOperation;
  /** What the network of a workspace may be at most; no limit at the command line */
  readonly network: NetworkCeiling | undefined;
  /** The background process, for the commands about it; absent inside it */
  readonly daemon: DaemonControl | undefined;
}

/** The command prints all pages, unless a field of `single` is given. */
export interface PagedResult {
  readonly text: string;
  readonly cursor: string;
  readonly next: string;
  readonly single: readonly string[];
  /** True for a patch: a terminal gets it in colours, in the person's pager, without the bytes of binary files */
  readonly isPatch?: boolean;
}

export type Profile = 'vm-run' | 'workspace-core' | 'workspace-full';

/** How an operation looks as a tool of the MCP server. */
export interface ToolSurface {
  /** Profiles that have the tool; `workspace-full` has all of `workspace-core` */
  readonly profiles: readonly Profile[];
  /** Tool name where it is not the operation's name with `_` for `.` */
  readonly name?: string;
  /** True when what runs by the tool reaches whatever the server's network policy opens */
  readonly opensWorld?: boolean;
  /** True when a second same call changes nothing more */
  readonly isIdempotent?: boolean;
  /** True where the answer is data; all others are mostly text, which is what a model is shown of them */
  readonly isData?: boolean;
  /** Fields of the output that tell whoever called nothing new */
  readonly silentFields?: readonly string[];
  /** True for the few tools that a host should always show to its model */
  readonly isAlwaysLoaded?: boolean;
  /** Input fields that the command line alone has */
  readonly hiddenFields?: readonly string[];
  /** Result sizes that hosts are asked to show whole, `characters` */
  readonly resultChars?: number;
}

export interface Operation<I extends z.ZodObject = z.ZodObject, O extends z.ZodObject = z.ZodObject> {
  /** Words joined by dots: `env.pull` is the command `pyro env pull` */
  readonly name: string;
  readonly title: string;
  /** One line for lists */
  readonly summary: string;
  /** What else a user needs to know */
  readonly details: string;
  readonly effect: 'read' | 'write' | 'destroy';
  /** Input fields that the command line takes by position */
  readonly positionals: readonly string[];
  /** Input field that takes the words after `--` */
  readonly rest?: string;
  /** True when output is shown live, so that nothing is left to render */
  readonly isLive?: boolean;
  /** When the command gets a terminal: where both ends are one, with `-t` alone, or never; `auto` unless given */
  readonly terminal?: 'auto' | 'asked' | 'never';
  /** True when `follow` runs in the daemon, which sends bytes as they are; else it is made of calls */
  readonly followsInDaemon?: boolean;
  /** `daemon`: runs in the process that owns the guests. `front`: in the caller's own */
  readonly place: 'front' | 'daemon';
  /** Absent for what is a command only */
  readonly tool?: ToolSurface;
  /** True for a tool that the command line has in another form */
  readonly isToolOnly?: boolean;
  /** Input fields that hold paths of the host; a front makes them absolute */
  readonly hostPathFields?: readonly string[];
  /** Input fields of the two places of a copy, one of which names the workspace: `ID:path` */
  readonly placeFields?: readonly [string, string];
  /** Input fields of items with a name and a value that the command line takes as `NAME=-`: its words can be read by others */
  readonly pipedFields?: readonly string[];
  /** Input field that the command line takes from standard input when none of `unless` is given */
  readonly inputField?: { readonly field: string; readonly isBase64: boolean; readonly unless: readonly string[] };
  /** A second, short name of the command, for what is typed daily: `pyro ps` */
  readonly short?: string;
  /** True when the command takes several workspaces, each as a call of its own */
  readonly takesSeveral?: boolean;
  /** True when the command without a workspace means the one that came from the folder it is called in */
  readonly findsWorkspace?: boolean;
  /** True when the command takes the Git checkout that it is called in as the project */
  readonly takesCheckout?: boolean;
  /** Input fields whose default the user may set with `pyro config` */
  readonly settings?: readonly string[];
  /** Input that the command line has instead of the schema's defaults, which fit a model */
  readonly commandDefaults?: Readonly<Record<string, unknown>>;
  /** For a result whose text comes in pages: fields of the text, of the cursor to give and of the one that continues */
  readonly pages?: PagedResult;
  readonly input: I;
  readonly output: O;
  readonly examples: readonly { readonly why: string; readonly command: string }[];
  readonly run: (context: OperationContext, input: z.output<I>) => Promise<z.output<O>>;
  /** Text of the result, with all that the structure says; cut to the `width` of a terminal, in characters, where it is given */
  readonly render: (output: z.output<O>, width?: number) => string;
  /** What a model is told where that is less: what is news to it */
  readonly renderModel?: (output: z.output<O>) => string;
  /** What the command prints where that is not `render`: the bytes of a file, the patch itself */
  readonly renderCommand?: (output: z.output<O>) => CommandText;
  readonly exitCode?: (output: z.output<O>) => number;
  /** True where the command prints bytes of a guest: {@link CommandText.isContent} */
  readonly showsContent?: boolean;
  /** What the command prints with `--quiet`, a line each, for scripts */
  readonly ids?: (output: z.output<O>) => readonly string[];
  /**
   * What a person at a terminal is asked before the command does it, made from the result of a dry run; undefined where
   * there is nothing to ask. The input has `dry_run` and `force`, which leaves the question out.
   */
  readonly question?: (preview: z.output<O>) => string | undefined;
  /** True where nothing is done as long as neither someone was asked nor `force` is given */
  readonly mustAsk?: boolean;
  /** What the command does with `--follow`: it shows what comes, live, and gives a last line for the person */
  readonly follow?: (context: OperationContext, input: z.output<I>) => Promise<string>;
}

/** An operation whose input and output types are hidden behind parsing, as fronts see it. */
export interface AnyOperation {
  readonly definition: Omit<
    Operation,
    'run' | 'render' | 'renderModel' | 'renderCommand' | 'exitCode' | 'ids' | 'follow' | 'question'
  >;
  /** True where a person is asked first */
  readonly asks: boolean;
  /** Parses the input and runs. Throws `usage` for input that does not fit. */
  readonly invoke: (context: OperationContext, input: unknown) => Promise<Outcome>;
  /** True where the command knows `--quiet` */
  readonly hasIds: boolean;
  /** Absent where the command knows no `--follow`. Throws like {@link invoke}. */
  readonly follow: ((context: OperationContext, input: unknown) => Promise<string>) | undefined;
  /** Checks an output that came from another process and renders it. */
  readonly receive: (output: unknown) => Outcome;
}

/** An operation that has kept its types, for the library; fronts do without them. */
export interface TypedOperation<N extends string, I extends z.ZodObject, O extends z.ZodObject> extends AnyOperation {
  /** Never there: it only carries the types */
  readonly types?: OperationTypes<N, z.input<I>, z.output<O>>;
}

export interface OperationTypes<N extends string, I, O> {
  readonly name: N;
  readonly input: I;
  readonly output: O;
}

/** What a command writes to standard output, and what it tells the person on standard error. */
export interface CommandText {
  readonly stdout: string | Uint8Array;
  readonly stderr?: string;
  /** True where standard output has bytes of a guest: a terminal keeps their colours, everything else has them as they are */
  readonly isContent?: boolean;
}

export interface Outcome {
  readonly output: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** What the command prints, on a terminal of this width in characters, where it is one */
  readonly command: (width?: number) => CommandText;
  readonly ids: readonly string[];
  /** Of a dry run: what a person is asked before it is done */
  readonly question: string | undefined;
  readonly exitCode: number;
}

/** Makes an operation: the schemas check what goes in and what comes out. */
export function defineOperation<const N extends string, I extends z.ZodObject, O extends z.ZodObject>(
  operation: Operation<I, O> & { readonly name: N },
): TypedOperation<N, I, O> {
  const receive = (raw: unknown): Outcome => {
    const output = operation.output.parse(raw);
    // Made when it is asked for: what nobody shows would only be a further copy of a large result.
    return {
      output,
      get text() {
        return operation.renderModel?.(output) ?? operation.render(output);
      },
      command: (width) =>
        operation.renderCommand?.(output) ?? {
          stdout: operation.render(output, width),
          isContent: operation.showsContent === true,
        },
      get ids() {
        return operation.ids?.(output) ?? [];
      },
      get question() {
        return operation.question?.(output);
      },
      exitCode: operation.exitCode?.(output) ?? 0,
    };
  };
  const { follow } = operation;
  const accept = (input: unknown): z.output<I> => {
    const parsed = operation.input.safeParse(input);
    if (parsed.success) return parsed.data;
    throw misfit({ definition: operation }, parsed.error, input);
  };
  return {
    definition: operation,
    hasIds: operation.ids !== undefined,
    asks: operation.question !== undefined,
    follow: follow === undefined ? undefined : async (context, input) => await follow(context, accept(input)),
    invoke: async (context, input) => receive(await operation.run(context, accept(input))),
    receive,
  };
}
