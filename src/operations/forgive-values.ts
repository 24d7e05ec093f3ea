// Values of another kind than wanted, where only one thing can be meant: a number as text, a map as text of JSON, a command as words.
import { z } from 'zod';
import type { WordForm } from '../contract/word-forms.ts';
import { PyroError } from '../shared/errors.ts';
import { commandLine } from '../shared/shell-words.ts';
import { mebibyte } from '../shared/units.ts';
import { meaningOf } from './input-names.ts';
import { type InputNode, isMap } from './input-node.ts';

/** Where a value stands, and who is told what was done to it. */
export interface Place {
  readonly name: string;
  readonly note: (text: string) => void;
}

type Fields = Readonly<Record<string, unknown>>;

const longestJson = mebibyte;
/** What the tools of some hosts want to be told of a command, for the person to read */
const remarks: ReadonlySet<string> = new Set(['description', 'explanation']);
const commandName = /(?:^|_)command$/;
const wordsSchema = z.array(z.string()).min(1);
const namedSchema = z.object({ name: z.string(), value: z.union([z.string(), z.number(), z.boolean()]) });

/** The value as its field wants it; what cannot be told stays as it is, for the schema to refuse. */
export function forgiveValue(value: unknown, node: InputNode, form: WordForm | undefined, place: Place): unknown {
  switch (node.type) {
    case 'string':
      return toText(value, node, place);
    case 'number':
    case 'integer':
      return toNumber(value, place);
    case 'boolean':
      return toBoolean(value, place);
    case 'array':
      return toList(value, node, form, place);
    case 'object':
      return isMap(node) ? toMap(value, form, place) : toObject(value, node, place);
    default:
      return value;
  }
}

function toText(value: unknown, node: InputNode, place: Place): unknown {
  if (typeof value === 'number' || typeof value === 'boolean') {
    place.note(`${place.name}: the ${typeof value} was taken as text`);
    return String(value);
  }
  if (typeof value === 'string') return node.enum === undefined ? value : toChoice(value, node.enum, place);
  const pair = pairOf(value, place.name);
  if (pair !== undefined) {
    place.note(`${place.name}: the object was taken as K=V`);
    return pair;
  }
  const words = wordsSchema.safeParse(value);
  if (!words.success || !commandName.test(place.name)) return value;
  place.note(`${place.name}: the list of words was taken as a shell line, each word quoted`);
  return commandLine(words.data);
}

/** A label to look for is a word, though the labels of a workspace are an object. */
function pairOf(value: unknown, name: string): string | undefined {
  const [entry, ...others] = Object.entries(fieldsOf(value) ?? {});
  if (!name.endsWith('label') || entry === undefined || others.length > 0) return undefined;
  const [key, text] = entry;
  return typeof text === 'object' ? undefined : `${key}=${String(text)}`;
}

/** `SIGINT` is `INT`, `on_failure` is `on-failure`. */
function toChoice(value: string, choices: readonly string[], place: Place): string {
  if (choices.includes(value)) return value;
  const plain = (text: string): string => text.toLowerCase().replace(/^sig/, '').replaceAll(/[-_ ]/g, '');
  const [only, ...others] = choices.filter((choice) => plain(choice) === plain(value));
  if (only === undefined || others.length > 0) return value;
  place.note(`${place.name}: taken as ${only}`);
  return only;
}

function toNumber(value: unknown, place: Place): unknown {
  if (typeof value !== 'string' || !/^\s*-?\d{1,15}(?:\.\d{1,15})?\s*$/.test(value)) return value;
  place.note(`${place.name}: the text was taken as a number`);
  return Number(value);
}

function toBoolean(value: unknown, place: Place): unknown {
  if (typeof value !== 'string' || !/^(?:true|false)$/i.test(value)) return value;
  place.note(`${place.name}: the text was taken as ${value.toLowerCase()}`);
  return value.toLowerCase() === 'true';
}

function toList(given: unknown, node: InputNode, form: WordForm | undefined, place: Place): unknown {
  const value = fromJson(given, place);
  const items = Array.isArray(value) ? value : listOf(value, node, place);
  if (items === undefined) return value;
  const { items: item } = node;
  if (item === undefined) return items;
  return items.map((each: unknown, index) => {
    const at = { ...place, name: `${place.name}[${index}]` };
    const isWord = typeof each === 'string' || typeof each === 'number';
    // The words of the command line are taken over MCP and in the library as well.
    if (item.type === 'object' && isWord) return read(String(each), form, place.name) ?? each;
    return forgiveValue(each, item, undefined, at);
  });
}

/** What is not a list, where only a list of it alone, or of its entries, can be meant. */
function listOf(value: unknown, { items }: InputNode, place: Place): unknown[] | undefined {
  const fields = fieldsOf(value);
  if (items?.type === 'object' && fields !== undefined) {
    const known = Object.keys(items.properties ?? {});
    const names = Object.keys(fields);
    if (names.some((name) => known.includes(name) || meaningOf(name, known).fields.length === 1)) {
      place.note(`${place.name}: taken as a list with one item`);
      return [value];
    }
    if (!known.includes('name') || !known.includes('value')) return undefined;
    place.note(`${place.name}: the object was taken as a list of name and value`);
    return Object.entries(fields).map(([name, each]) => ({ name, value: each }));
  }
  // Where the words of a command end is not for us to guess.
  if ((typeof value !== 'string' && typeof value !== 'number') || commandName.test(place.name)) return undefined;
  const parts = String(value)
    .split(/\s*,\s*/)
    .filter((part) => part !== '');
  if (parts.length > 1 && items?.type === 'string') {
    place.note(`${place.name}: the text was taken as a list, by its commas`);
    return parts;
  }
  place.note(`${place.name}: taken as a list with one item`);
  return [value];
}

function toMap(given: unknown, form: WordForm | undefined, place: Place): unknown {
  const value = fromJson(given, place);
  if (Array.isArray(value)) return mapOfList(value, form, place);
  if (typeof value === 'string' && /^[^=\s,]+=[^\s,]*$/.test(value)) {
    place.note(`${place.name}: the text was taken as an object with one entry`);
    return mapOfList([value], form, place);
  }
  const fields = fieldsOf(value);
  if (fields === undefined || form?.isStrict === true) return value;
  const odd = Object.entries(fields).filter(([, each]) => typeof each === 'number' || typeof each === 'boolean');
  if (odd.length === 0) return value;
  place.note(`${place.name}: numbers and booleans were taken as text`);
  return Object.fromEntries([
    ...Object.entries(fields),
    ...odd.map(([name, each]): [string, unknown] => [name, String(each)]),
  ]);
}

/** `["K=V"]`, and `[{"name": "K", "value": "V"}]`. */
function mapOfList(value: readonly unknown[], form: WordForm | undefined, place: Place): unknown {
  const words = z.array(z.string()).safeParse(value);
  if (words.success && form !== undefined) {
    const items = words.data.map((word) => read(word, form, place.name));
    return items.includes(undefined) ? value : form.gather(items, place.name);
  }
  const named = z.array(namedSchema).safeParse(value);
  if (!named.success || form?.isStrict === true) return value;
  place.note(`${place.name}: the list of name and value was taken as an object`);
  return Object.fromEntries(named.data.map((each) => [each.name, String(each.value)]));
}

function toObject(given: unknown, node: InputNode, place: Place): unknown {
  const value = fromJson(given, place);
  const fields = fieldsOf(value);
  return fields === undefined ? value : forgiveFields(fields, node, () => undefined, place);
}

/** Names and values of an object. Throws `usage` for a name that means what is given already. */
export function forgiveFields(
  input: Fields,
  { properties = {}, required }: InputNode,
  formOf: (field: string) => WordForm | undefined,
  { name: where, note }: Place,
): Fields {
  const known = Object.keys(properties);
  const whole = new Map<string, unknown>();
  const prefix = where === '' ? '' : `${where}.`;
  const givenAs = new Map<string, string>();
  for (const [name, value] of Object.entries(input)) {
    if (value === undefined) continue;
    const isKnown = known.includes(name);
    const { fields, divisor } = isKnown ? { fields: [name], divisor: 1 } : meaningOf(name, known);
    const [field, ...others] = fields;
    const wanted = field === undefined ? undefined : properties[field];
    if (field === undefined && known.includes('command') && remarks.has(name) && typeof value === 'string') {
      note(`${prefix}${name} has no effect here and was ignored`);
      continue;
    }
    const isOpen = field === undefined || others.length > 0;
    if (isOpen || wanted === undefined || (!isKnown && isOdd(value, wanted, field))) {
      whole.set(name, value);
      continue;
    }
    // What is optional is left out by some as null.
    if (value === null && !required.includes(field)) continue;
    const earlier = givenAs.get(field);
    if (earlier !== undefined) {
      throw new PyroError('usage', `${prefix}${earlier} and ${prefix}${name} are the same argument: give one`, {
        hint: `its name is ${field}`,
      });
    }
    givenAs.set(field, name);
    const place = { name: `${prefix}${field}`, note };
    if (!isKnown) note(`${prefix}${name} was taken for ${field}${divisor === 1 ? '' : ', in seconds'}`);
    const forgiven = forgiveValue(value, wanted, formOf(field), place);
    whole.set(field, typeof forgiven === 'number' ? forgiven / divisor : forgiven);
  }
  return Object.fromEntries(whole);
}

/** An object is never meant by a name of something that is none: `env` of a create is not its environment. */
function isOdd(value: unknown, { type }: InputNode, field: string): boolean {
  if (type === 'object' || type === 'array') return false;
  return fieldsOf(value) !== undefined && pairOf(value, field) === undefined;
}

/** The value of a text that is JSON of an object or a list; anything else as it is. */
function fromJson(value: unknown, place: Place): unknown {
  if (typeof value !== 'string' || value.length > longestJson || !/^\s*[[{]/.test(value)) return value;
  try {
    const parsed: unknown = JSON.parse(value);
    place.note(`${place.name}: the text was read as JSON`);
    return parsed;
  } catch {
    // It is a text that only begins like JSON: the schema says what is wanted.
    return value;
  }
}

function read(word: string, form: WordForm | undefined, field: string): unknown {
  return form?.options[0]?.read(word, field);
}

function fieldsOf(value: unknown): Fields | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return { ...value };
}
