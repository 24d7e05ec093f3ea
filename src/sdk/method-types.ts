// The shape of the methods, from the names of the operations: `workspace.exec_signal` is `workspace.execSignal`.
import type { CallOptions } from './call-options.ts';
import type { OperationTypes } from './operation-types.ts';

export type OperationName = keyof OperationTypes;
export type InputOf<N extends OperationName> = OperationTypes[N]['input'];
export type OutputOf<N extends OperationName> = OperationTypes[N]['output'];

/** A method; its input may be left out when nothing in it is needed. */
export type Method<I, O> =
  Record<never, never> extends I
    ? (input?: I, options?: CallOptions) => Promise<O>
    : (input: I, options?: CallOptions) => Promise<O>;

/** Every operation as a method. */
export type Methods = Tree<''>;

type Tree<Prefix extends string> = {
  readonly [Word in WordAfter<OperationName, Prefix> as Camel<Word>]: `${Prefix}${Word}` extends OperationName
    ? Method<InputOf<`${Prefix}${Word}`>, OutputOf<`${Prefix}${Word}`>>
    : Tree<`${Prefix}${Word}.`>;
};

/** The operations on one workspace, without its id in the input. */
export type WorkspaceMethods = BoundTree<'workspace.'>;

type BoundTree<Prefix extends string> = {
  readonly [Word in WordAfter<BoundName, Prefix> as Camel<Word>]: `${Prefix}${Word}` extends BoundName
    ? Method<WithoutId<InputOf<`${Prefix}${Word}`>>, OutputOf<`${Prefix}${Word}`>>
    : BoundTree<`${Prefix}${Word}.`>;
};

type WithoutId<I> = Omit<I, 'workspace_id'> & { readonly workspace_id?: never };

type BoundName = {
  [N in OperationName]: InputOf<N> extends { workspace_id: string } ? N : never;
}[OperationName];

type WordAfter<Name extends string, Prefix extends string> = Name extends `${Prefix}${infer Rest}`
  ? Rest extends `${infer Word}.${string}`
    ? Word
    : Rest
  : never;

type Camel<Word extends string> = Word extends `${infer First}_${infer Rest}`
  ? `${First}${Capitalize<Camel<Rest>>}`
  : Word extends `${infer First}-${infer Rest}`
    ? `${First}${Capitalize<Camel<Rest>>}`
    : Word;
