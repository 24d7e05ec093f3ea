// The tools of one server: chosen by profile or mode, with schemas, annotations and what is fixed.
import { wayOutOf } from '../shared/policy-types.ts';
import type { ServerOptions } from '../shared/server-options.ts';
import type { Audience } from './audience.ts';
import type { ObjectSchema, PropertySchema, ToolFacts } from './catalogue.ts';
import { leanSchema } from './lean.ts';
import { type Mode, modes } from './modes.ts';

export interface ToolEntry {
  readonly name: string;
  readonly facts: ToolFacts;
  readonly inputSchema: ObjectSchema;
  readonly description: string;
  /** Arguments that the server decides */
  readonly fixed: Readonly<Record<string, unknown>>;
  /** Arguments that the person who runs the server has not allowed */
  readonly refused: ReadonlySet<string>;
  /** Hints for hosts, as honest as the definition and the server's flags */
  readonly annotations: Readonly<Record<string, boolean>>;
}

const defaultProfile = 'workspace-core';
const hostCompatField = 'allow_host_compat';

/** Remarks of the server about a call, beside what the operation itself says. */
export const notesField = 'server_notes';

export function selectTools(catalogue: readonly ToolFacts[], options: ServerOptions): ToolEntry[] {
  const mode = options.mode === undefined ? undefined : modes[options.mode];
  const profile = options.profile ?? defaultProfile;
  return catalogue
    .filter(({ name, tool }) => (mode === undefined ? tool.profiles.includes(profile) : mode.tools.includes(name)))
    .map((facts) => describeTool(facts, mode, options));
}

function describeTool(facts: ToolFacts, mode: Mode | undefined, options: ServerOptions): ToolEntry {
  const { name, summary, details, inputSchema } = facts;
  const fixed = mode?.fixed[name] ?? {};
  const refused = new Set(options.allow_host_compat ? [] : [hostCompatField]);
  return {
    name,
    facts,
    fixed,
    refused,
    annotations: annotationsOf(facts, canReachNetwork(mode, options)),
    inputSchema: withDefaults(without(inputSchema, [...Object.keys(fixed), ...refused]), options),
    description: [`${summary}.`, details, mode?.notes[name]].filter(Boolean).join(' '),
  };
}

/** False when no guest of this server can get a way out, whatever a model asks for. */
function canReachNetwork(mode: Mode | undefined, options: ServerOptions): boolean {
  if (mode?.fixed['workspace_create']?.['network_policy'] === 'off') return false;
  return wayOutOf(options.network_policy) !== 'off' || options.package_sources !== 'none';
}

export function annotationsOf({ effect, tool }: ToolFacts, hasNetwork: boolean): Readonly<Record<string, boolean>> {
  return {
    readOnlyHint: effect === 'read',
    destructiveHint: effect === 'destroy',
    ...((tool.isIdempotent ?? effect === 'read') ? { idempotentHint: true } : {}),
    openWorldHint: hasNetwork && tool.opensWorld === true,
  };
}

/** A tool as it is in the list. A schema of the output is a promise of structure, which a model does not get of texts. */
export function shownTool({ name, facts, description, inputSchema, annotations }: ToolEntry, audience: Audience) {
  const hasStructure = audience === 'program' || facts.tool.isData === true;
  const meta = metaOf(facts);
  return {
    name,
    title: facts.title,
    description,
    inputSchema: { ...inputSchema },
    ...(hasStructure ? { outputSchema: leanSchema(facts) } : {}),
    annotations,
    ...(meta === undefined ? {} : { _meta: meta }),
  };
}

/** What known hosts read beside the standard. */
function metaOf({ tool }: ToolFacts): Record<string, string | number | boolean> | undefined {
  const meta = {
    ...(tool.isAlwaysLoaded === true ? { 'anthropic/alwaysLoad': true } : {}),
    ...(tool.resultChars === undefined ? {} : { 'anthropic/maxResultSizeChars': tool.resultChars }),
  };
  return Object.keys(meta).length === 0 ? undefined : meta;
}

/** What a call gets that names no policy; a tool without ports has no policy of that name. */
export function defaultWayOut(property: PropertySchema, { network_policy: policy }: ServerOptions): string {
  const wayOut = wayOutOf(policy);
  return Array.isArray(property['enum']) && !property['enum'].includes(wayOut) ? 'egress' : wayOut;
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
  const { environment, network_policy: network, package_sources: packages } = properties;
  if (environment !== undefined && !schema.required?.includes('environment')) {
    properties['environment'] =
      options.environment === 'auto'
        ? {
            ...environment,
            description: 'Environment or OCI image reference; by default chosen by the project’s lock files',
          }
        : { ...environment, default: options.environment, description: 'Environment or OCI image reference' };
  }
  if (packages !== undefined) properties['package_sources'] = { ...packages, default: options.package_sources };
  if (network !== undefined) properties['network_policy'] = { ...network, default: defaultWayOut(network, options) };
  return { ...schema, properties };
}
