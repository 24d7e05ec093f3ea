// Results as those see them who pay for each character: what is news, and neither an echo nor a flag that is false.
import type { ObjectSchema, PropertySchema, ToolFacts } from './catalogue.ts';

/** What programs branch on stands in the structure whatever its value is */
const steady = new Set([
  'running',
  'exit_code',
  'stdout',
  'stderr',
  'output',
  'content',
  'patch',
  'entries',
  'workspaces',
  'snapshots',
  'services',
  'shells',
  'files',
  'changed',
  'deleted',
  'next_cursor',
]);
/** Values that say nothing, since they are what everyone expects */
const usual: Readonly<Record<string, unknown>> = {
  execution_mode: 'guest',
  workspace_path: '/workspace',
  destination: '/workspace',
  is_utf8: true,
  package_sources: 'none',
};

/** The structure without what is absent, false, empty or known to whoever called. */
export function leanOutput({ tool }: ToolFacts, output: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const silent = new Set(tool.silentFields);
  return Object.fromEntries(
    Object.entries(output).flatMap(([name, value]) => (silent.has(name) ? [] : leanEntry(name, value))),
  );
}

function leanEntry(name: string, value: unknown): [string, unknown][] {
  const lean = leanValue(value);
  // Of these any other value is news, a false one as well.
  if (name in usual) return usual[name] === value ? [] : [[name, lean]];
  return steady.has(name) || !isNothing(lean) ? [[name, lean]] : [];
}

function leanValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(leanValue);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  // Of a map of counts, those that count something.
  if (entries.every(([, count]) => typeof count === 'number'))
    return Object.fromEntries(entries.filter(([, count]) => count !== 0));
  return Object.fromEntries(entries.flatMap(([name, inner]) => leanEntry(name, inner)));
}

function isNothing(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** What {@link leanOutput} may give: names and types of what it usually gives. No host shows more of it to its model; any field may be absent, and others come. */
export function leanSchema({ tool, outputSchema }: ToolFacts): ObjectSchema {
  const silent = new Set(tool.silentFields);
  const properties = Object.entries(outputSchema.properties).flatMap(([name, property]) =>
    silent.has(name) || name in usual ? [] : [[name, leanProperty(property)]],
  );
  return { type: 'object', properties: Object.fromEntries(properties) };
}

function leanProperty({ type, anyOf }: PropertySchema): PropertySchema {
  if (type !== undefined) return { type };
  const types = Array.isArray(anyOf) ? anyOf.flatMap(typesOf) : [];
  return types.length === 0 ? {} : { type: types };
}

function typesOf(schema: unknown): string[] {
  return typeof schema === 'object' && schema !== null && 'type' in schema && typeof schema.type === 'string'
    ? [schema.type]
    : [];
}
