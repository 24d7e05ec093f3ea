// The operations as types, by name. The build writes their declarations from the schemas, so that users need no zod.
import type { ListedTypes } from '../operations/index.ts';

/** Input and output of each operation, such as `OperationTypes['workspace.exec']['input']`. */
export type OperationTypes = {
  readonly [T in ListedTypes as T['name']]: { readonly input: T['input']; readonly output: T['output'] };
};
