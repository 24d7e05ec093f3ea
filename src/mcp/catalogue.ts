// Operations as plain data, as far as a list of tools needs them: made when pyro is built, since schemas are slow to convert.
import { z } from 'zod';
import type { AnyOperation, Operation, ToolSurface } from '../operations/define.ts';

/** JSON schema as it goes over the wire. */
export interface ObjectSchema {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, PropertySchema>>;
  readonly required?: string[];
  readonly [keyword: string]: unknown;
}
export type PropertySchema = z.infer<typeof propertySchema>;

export interface ToolFacts {
  /** Name of the operation */
  readonly operation: string;
  readonly name: string;
  readonly title: string;
  readonly summary: string;
  readonly details: string;
  readonly effect: Operation['effect'];
  readonly tool: ToolSurface;
  readonly hostPathFields: readonly string[];
  readonly inputSchema: ObjectSchema;
  readonly outputSchema: ObjectSchema;
}

const propertySchema = z.record(z.string(), z.json());
const objectSchema = z.looseObject({
  type: z.literal('object'),
  properties: z.record(z.string(), propertySchema).default({}),
  required: z.array(z.string()).exactOptional(),
});

/** Facts of every operation that is a tool. */
export function factsOf(operations: readonly AnyOperation[]): ToolFacts[] {
  return operations.flatMap(({ definition }) => {
    const { name, title, summary, details, effect, tool, hostPathFields = [], input, output } = definition;
    if (tool === undefined) return [];
    const facts: ToolFacts = {
      operation: name,
      name: tool.name ?? name.replaceAll('.', '_'),
      title,
      summary,
      details,
      effect,
      tool,
      hostPathFields,
      inputSchema: briefInput(withoutFields(schemaOf(input, 'input'), tool.hiddenFields ?? [])),
      outputSchema: objectSchema.parse(withoutNoise(schemaOf(output, 'output'))),
    };
    return [facts];
  });
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): ObjectSchema {
  const { $schema: _dialect, ...parsed } = objectSchema.parse(z.toJSONSchema(schema, { io }));
  return parsed;
}

function withoutFields({ properties, ...rest }: ObjectSchema, names: readonly string[]): ObjectSchema {
  const shown = Object.entries(properties).filter(([name]) => !names.includes(name));
  return objectSchema.parse({ ...rest, properties: Object.fromEntries(shown) });
}

/** Arguments without what says nothing: names that are texts, texts that are not empty, numbers up to the largest of all. */
function briefInput({ properties, ...rest }: ObjectSchema): ObjectSchema {
  const brief = Object.entries(properties).map(([name, property]) => [name, withoutNoise(property)]);
  return objectSchema.parse({ ...rest, properties: Object.fromEntries(brief) });
}

/** What says nothing to a reader of results costs a fifth of the list; results may also gain fields in later versions. */
function withoutNoise(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutNoise);
  if (typeof schema !== 'object' || schema === null) return schema;
  const entries = Object.entries(schema).filter(
    ([keyword, value]) =>
      !(keyword === 'additionalProperties' && value === false) &&
      !(keyword === 'maximum' && value === Number.MAX_SAFE_INTEGER) &&
      !(keyword === 'minLength' && value === 1) &&
      !(keyword === 'default' && ['{}', '[]'].includes(JSON.stringify(value))) &&
      keyword !== 'propertyNames',
  );
  return Object.fromEntries(entries.map(([keyword, value]) => [keyword, withoutNoise(value)]));
}
