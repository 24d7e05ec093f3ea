// Options of a command line, made from a zod schema: one field, one flag.
import { InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import type { WordForm, WordOption } from '../contract/word-forms.ts';

const propertySchema = z.object({
  type: z.string().optional(),
  description: z.string().optional(),
  enum: z.array(z.string()).optional(),
  default: z.unknown().optional(),
});
const objectSchema = z.object({
  properties: z.record(z.string(), propertySchema),
  required: z.array(z.string()).default([]),
});
export type Property = z.infer<typeof propertySchema>;

/** Fields of a schema with what a flag needs to know of each. */
export function shapeOf(schema: z.ZodType): z.infer<typeof objectSchema> {
  return objectSchema.parse(z.toJSONSchema(schema, { io: 'input' }));
}

/** The flag of a field. A list is given one item at a time, so its flag is in the singular: `--label` for `labels`. */
export function flagOf(field: string, { type }: Pick<Property, 'type'>): string {
  const words = field.replaceAll('_', '-');
  return `--${type === 'array' ? words.replace(/s$/, '') : words}`;
}

export function optionOf(field: string, property: Property): Option {
  const flag = flagOf(field, property);
  const note =
    property.default === undefined || property.type === 'boolean' || Array.isArray(property.default)
      ? ''
      : ` (default: ${property.default})`;
  const text = `${property.description ?? ''}${note}`;
  // What is on unless told otherwise can only be turned off.
  if (property.type === 'boolean' && property.default === true) {
    return new Option(`--no-${field.replaceAll('_', '-')}`, `Do not: ${text.charAt(0).toLowerCase()}${text.slice(1)}`);
  }
  if (property.type === 'boolean') return new Option(flag, text);
  const option = new Option(`${flag} <${valueName(property)}>`, text);
  if (property.enum !== undefined) return option.choices(property.enum);
  if (isNumeric(property)) return option.argParser(parseNumber);
  return property.type === 'array' ? option.argParser(collect) : option;
}

/** A field as options, and what a parsed line says of it. */
export interface FieldOptions {
  readonly options: readonly Option[];
  /** Undefined when the line says nothing. Throws `usage` for a word that does not fit. */
  readonly valueIn: (parsed: Readonly<Record<string, unknown>>) => unknown;
}

export function optionsOf(field: string, property: Property, form: WordForm | undefined): FieldOptions {
  if (form === undefined) {
    const option = optionOf(field, property);
    return { options: [option], valueIn: (parsed) => valueOfOption(option, parsed) };
  }
  const pairs = wordOptions(field, property, form).map(({ flag, description, word, read }) => ({
    option: new Option(`${flag} <${word.toLowerCase().replaceAll(/[[\]]/g, '')}>`, description).argParser(collect),
    read: (text: string): unknown => read(text, flag),
  }));
  return {
    options: pairs.map(({ option }) => option),
    valueIn: (parsed) => {
      const items = pairs.flatMap(({ option, read }) => {
        const words = valueOfOption(option, parsed);
        return Array.isArray(words) ? words.map((word) => read(String(word))) : [];
      });
      return items.length === 0 ? undefined : form.gather(items, flagOf(field, { type: 'array' }));
    },
  };
}

/** The options of a field that has words, with their flags and what help says of each. */
export function wordOptions(
  field: string,
  { description = '' }: Pick<Property, 'description'>,
  form: WordForm,
): (WordOption & { readonly flag: string; readonly description: string })[] {
  return form.options.map((option) => ({
    ...option,
    flag: [flagOf(field, { type: 'array' }), ...(option.suffix === undefined ? [] : [option.suffix])].join('-'),
    description: `${option.description ?? description}, each ${option.word}`,
  }));
}

function collect(value: string, before: unknown): unknown[] {
  return [...(Array.isArray(before) ? before : []), value];
}

/** What a parsed line says of a field. `--no-x` is the name of a field, not the negation that the parser takes it for. */
export function valueOfOption(option: Option, options: Readonly<Record<string, unknown>>): unknown {
  const value = options[option.attributeName()];
  return option.negate ? value === false || undefined : value;
}

function valueName(property: Property): string {
  if (isNumeric(property)) return 'n';
  return 'value';
}

export function isNumeric({ type }: Property): boolean {
  return type === 'number' || type === 'integer';
}

export function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.');
  return value;
}
