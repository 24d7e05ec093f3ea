// How operations look as tools of one server: chosen by profile or mode, with schemas, annotations and what is fixed.
import { z } from 'zod';
import type { AnyOperation, Operation } from '../operations/define.ts';
import type { ServerOptions } from '../operations/server-options.ts';
import { type Mode, modes } from './modes.ts';

type Definition = AnyOperation['definition'];
type Tool = NonNullable<Operation['tool']>;

export interface ToolEntry {
  readonly name: string;
  readonly operation: AnyOperation;
  readonly inputSchema: ObjectSchema;
  readonly outputSchema: ObjectSchema;
  readonly description: string;
  /** Arguments that the server decides */
  readonly fixed: Readonly<Record<string, unknown>>;
  /** Arguments that the person who runs the server has not allowed */
  readonly refused: ReadonlySet<string>;
}

/** JSON schema as it goes over the wire. */
export interface ObjectSchema {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, PropertySchema>>;
  readonly required?: string[];
  readonly [keyword: string]: unknown;
}
type PropertySchema = z.infer<typeof propertySchema>;

const propertySchema = z.record(z.string(), z.json());
const objectSchema = z.looseObject({
  type: z.literal('object'),
  properties: z.record(z.string(), propertySchema).default({}),
  required: z.array(z.string()).exactOptional(),
});

const defaultProfile = 'workspace-core';
const hostCompatField = 'allow_host_compat';

/** Remarks of the server about a call, beside what the operation itself says. */
export const notesField = 'server_notes';

export function toolNameOf({ name, tool }: Definition): string {
  return tool?.name ?? name.replaceAll('.', '_');
}

/** The tools of a server. Touches nothing but the definitions. */
export function selectTools(operations: readonly AnyOperation[], options: ServerOptions): ToolEntry[] {
  const mode = options.mode === undefined ? undefined : modes[options.mode];
  const profile = options.profile ?? defaultProfile;
  return operations.flatMap((operation) => {
    const { definition } = operation;
    if (definition.tool === undefined) return [];
    const name = toolNameOf(definition);
    const isIn = mode === undefined ? definition.tool.profiles.includes(profile) : mode.tools.includes(name);
    return isIn ? [describeTool(operation, name, mode, options)] : [];
  });
}

function describeTool(
  operation: AnyOperation,
  name: string,
  mode: Mode | undefined,
  options: ServerOptions,
): ToolEntry {
  const { definition } = operation;
  const fixed = mode?.fixed[name] ?? {};
  const refused = new Set(options.allow_host_compat ? [] : [hostCompatField]);
  const output = schemaOf(definition.output, 'output');
  return {
    name,
    operation,
    fixed,
    refused,
    inputSchema: withDefaults(
      without(schemaOf(definition.input, 'input'), [...Object.keys(fixed), ...refused]),
      options,
    ),
    outputSchema: {
      ...output,
      properties: {
        ...output.properties,
        [notesField]: { type: 'array', items: { type: 'string' }, description: 'Remarks of the server' },
      },
    },
    description: [`${definition.summary}.`, definition.details, mode?.notes[name]].filter(Boolean).join(' '),
  };
}

/** Hints for hosts, as honest as the definition. */
export function annotationsOf({ title, effect, tool }: Definition): Readonly<Record<string, string | boolean>> {
  return {
    title,
    readOnlyHint: effect === 'read',
    destructiveHint: effect === 'destroy',
    idempotentHint: tool?.isIdempotent ?? effect === 'read',
    openWorldHint: tool?.opensWorld ?? false,
  };
}

/** What known hosts read beside the standard. */
export function metaOf({ isAlwaysLoaded, resultChars }: Tool): Record<string, string | number | boolean> | undefined {
  const meta = {
    ...(isAlwaysLoaded === true ? { 'anthropic/alwaysLoad': true } : {}),
    ...(resultChars === undefined ? {} : { 'anthropic/maxResultSizeChars': resultChars }),
  };
  return Object.keys(meta).length === 0 ? undefined : meta;
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): ObjectSchema {
  const { $schema: _dialect, ...parsed } = objectSchema.parse(z.toJSONSchema(schema, { io }));
  return parsed;
}

function without(schema: ObjectSchema, names: readonly string[]): ObjectSchema {
  const { required, ...rest } = schema;
  const properties = Object.entries(schema.properties).filter(([name]) => !names.includes(name));
  const needed = required?.filter((name) => !names.includes(name)) ?? [];
  return {
    ...rest,
    properties: Object.fromEntries(properties),
    ...(needed.length === 0 ? {} : { required: needed }),
  };
}

/** The schema tells the defaults that this server gives in place of the operation's own. */
function withDefaults(schema: ObjectSchema, options: ServerOptions): ObjectSchema {
  const properties: Record<string, PropertySchema> = { ...schema.properties };
  const { environment, network_policy: network } = properties;
  if (environment !== undefined && !schema.required?.includes('environment')) {
    properties['environment'] =
      options.environment === 'auto'
        ? {
            ...environment,
            description: 'Environment or OCI image reference; unless given, chosen by the project’s lock files',
          }
        : { ...environment, default: options.environment, description: 'Environment or OCI image reference' };
  }
  if (network !== undefined) properties['network_policy'] = { ...network, default: options.network_policy };
  return { ...schema, properties };
}
