// The methods themselves, made from the list of operations: no operation is named here.
import { operations } from '../operations/index.ts';
import type { CallByName, CallOptions } from './call-options.ts';
import type { Methods, WorkspaceMethods } from './method-types.ts';

type Input = Readonly<Record<string, unknown>>;
type Bare = (input?: Input, options?: CallOptions) => Promise<unknown>;
interface Branch {
  [word: string]: Branch | Bare;
}

const idField = 'workspace_id';

/** Every operation. Types and methods come from the same list, which is why the one may stand for the other here. */
export function methodsOf(call: CallByName): Methods;
export function methodsOf(call: CallByName): object {
  const tree: Branch = {};
  for (const { definition } of operations) {
    plant(tree, definition.name.split('.'), (input = {}, options) => call(definition.name, input, options));
  }
  return tree;
}

/** The operations on one workspace. */
export function workspaceMethodsOf(call: CallByName, id: string): WorkspaceMethods;
export function workspaceMethodsOf(call: CallByName, id: string): object {
  const tree: Branch = {};
  for (const { definition } of operations) {
    const [group, ...words] = definition.name.split('.');
    if (group !== 'workspace' || !(idField in definition.input.shape)) continue;
    plant(tree, words, (input = {}, options) => call(definition.name, { ...input, [idField]: id }, options));
  }
  return tree;
}

function plant(tree: Branch, words: readonly string[], method: Bare): void {
  const [first = '', ...rest] = words.map(camel);
  if (rest.length === 0) {
    tree[first] = method;
    return;
  }
  const known = tree[first];
  const branch: Branch = typeof known === 'object' ? known : {};
  tree[first] = branch;
  plant(branch, rest, method);
}

function camel(word: string): string {
  return word.replaceAll(/[_-]([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}
