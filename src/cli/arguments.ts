// The words of a command line that stand by position, and which field of the input each one is.
import { Argument } from 'commander';
import { readCopyWords } from '../operations/copy-place.ts';
import type { AnyOperation } from '../operations/define.ts';
import { workspaceFieldOf } from '../operations/workspace-reference.ts';
import { PyroError } from '../shared/errors.ts';
import { isNumeric, type Property, type shapeOf } from './options.ts';

type Shape = ReturnType<typeof shapeOf>;

export interface PositionalInput {
  readonly input: Readonly<Record<string, unknown>>;
  /** Several workspaces, each for a call of its own */
  readonly several: readonly string[];
  /** True when the workspace is to be found by the folder */
  readonly isWorkspaceOpen: boolean;
}

/** How a field is shown where it stands by position. */
export function argumentName(field: string): string {
  return field === 'workspace_id' ? 'workspace' : field.replaceAll('_', '-');
}

/** What the command takes by position, in order. */
export function argumentsOf({ definition }: AnyOperation, shape: Shape): Argument[] {
  return definition.positionals.map((field, index) => {
    const property = shape.properties[field] ?? {};
    const isOpen = definition.findsWorkspace === true;
    const name = `${argumentName(field)}${isSeveral(definition, index) ? '...' : ''}`;
    // One that follows an open one cannot be demanded here; the schema demands it.
    const argument = new Argument(
      shape.required.includes(field) && !isOpen ? `<${name}>` : `[${name}]`,
      descriptionOf(definition, field, property),
    );
    // Told in help and completion; what does not fit is refused by the schema, as JSON where that is wanted.
    if (property.enum !== undefined) argument.argChoices = property.enum;
    return argument;
  });
}

function descriptionOf(definition: AnyOperation['definition'], field: string, property: Property): string {
  if (field !== 'workspace_id') return property.description ?? '';
  const open = definition.findsWorkspace === true ? '; by default, the one created from this folder' : '';
  return `Its id, the start of its id, or its name${open}`;
}

/** One line for help: `[options] [workspace] <path>`. */
export function usageOf({ definition }: AnyOperation, shape: Shape): string {
  const words = definition.positionals.map((field, index) => {
    const isNeeded =
      shape.required.includes(field) && !(definition.findsWorkspace === true && field === 'workspace_id');
    const name = `${argumentName(field)}${isSeveral(definition, index) ? '...' : ''}`;
    return isNeeded ? `<${name}>` : `[${name}]`;
  });
  return ['[options]', ...words, ...(definition.rest === undefined ? [] : ['-- COMMAND…'])].join(' ');
}

/** The fields for words that were given. Fewer than are needed leave out the workspace, where a command can find it. */
export function readPositionals(operation: AnyOperation, shape: Shape, words: readonly string[]): PositionalInput {
  const { definition } = operation;
  const field = workspaceFieldOf(operation);
  if (definition.placeFields !== undefined) return readPlaces(definition.placeFields, field ?? '', words);
  const needed = definition.positionals.filter((each) => shape.required.includes(each)).length;
  const isWorkspaceOpen = definition.findsWorkspace === true && field !== undefined && words.length < needed;
  const fields = definition.positionals.filter((each) => !(isWorkspaceOpen && each === field));
  const input = Object.fromEntries(
    fields.flatMap((each, index): [string, unknown][] => {
      const word = words[index];
      if (word === undefined) return [];
      return [[each, isNumeric(shape.properties[each] ?? {}) ? numberOf(each, word) : word]];
    }),
  );
  const several = definition.takesSeveral === true && words.length > 1 ? [...new Set(words)] : [];
  return { input, several, isWorkspaceOpen };
}

/** The places of a copy: what stands before the colon of one is the workspace. */
function readPlaces(
  [from, to]: readonly [string, string],
  field: string,
  [source = '', target = '']: readonly string[],
): PositionalInput {
  const { workspace, ...places } = readCopyWords(source, target);
  const input = { [from]: places.source, [to]: places.target };
  if (workspace === undefined) return { input, several: [], isWorkspaceOpen: true };
  return { input: { ...input, [field]: workspace }, several: [], isWorkspaceOpen: false };
}

function numberOf(field: string, word: string): number {
  const value = Number(word);
  if (word.trim() !== '' && Number.isFinite(value)) return value;
  throw new PyroError('usage', `<${argumentName(field)}> must be a number, not ${JSON.stringify(word)}`);
}

function isSeveral(definition: AnyOperation['definition'], index: number): boolean {
  return definition.takesSeveral === true && index === 0;
}
