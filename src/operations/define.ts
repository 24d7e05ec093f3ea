// What an operation is: one definition, from which commands, tools, routes and reference pages are made.
import type { z } from 'zod';
import type { CallContext, Engine, RunIo } from '../engine/engine-types.ts';

export interface OperationContext extends CallContext {
  readonly engine: Engine;
  /** Live streams, where the front has them and the operation uses them */
  readonly io: RunIo | undefined;
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
  readonly input: I;
  readonly output: O;
  readonly examples: readonly { readonly why: string; readonly command: string }[];
  readonly run: (context: OperationContext, input: z.output<I>) => Promise<z.output<O>>;
  readonly render: (output: z.output<O>) => string;
  readonly exitCode?: (output: z.output<O>) => number;
}

/** An operation whose input and output types are hidden behind parsing, as fronts see it. */
export interface AnyOperation {
  readonly definition: Omit<Operation, 'run' | 'render' | 'exitCode'>;
  /** Parses the input and runs. Throws a ZodError for input that does not fit. */
  readonly invoke: (context: OperationContext, input: unknown) => Promise<Outcome>;
}

export interface Outcome {
  readonly output: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly exitCode: number;
}

/** Makes an operation: the schemas check what goes in and what comes out. */
export function defineOperation<I extends z.ZodObject, O extends z.ZodObject>(
  operation: Operation<I, O>,
): AnyOperation {
  return {
    definition: operation,
    invoke: async (context, input) => {
      const output = operation.output.parse(await operation.run(context, operation.input.parse(input)));
      return { output, text: operation.render(output), exitCode: operation.exitCode?.(output) ?? 0 };
    },
  };
}
