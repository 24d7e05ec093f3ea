// Every operation that is a tool, held to what hosts and models need of it.
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { factsOf, type ToolFacts } from '../../../src/mcp/catalogue.ts';
import { instructionsFor, longestInstructions } from '../../../src/mcp/instructions.ts';
import { modes } from '../../../src/mcp/modes.ts';
import { resourceTemplates } from '../../../src/mcp/resources.ts';
import { selectTools, shownTool } from '../../../src/mcp/tools.ts';
import { operations } from '../../../src/operations/index.ts';
import { modeNames, serverOptionsSchema } from '../../../src/shared/server-options.ts';

const catalogue = factsOf(operations);
const itemSchema = z.object({
  type: z.literal('object'),
  properties: z.record(z.string(), z.object({ type: z.string() })),
});
const flatTypes = new Set(['string', 'number', 'integer', 'boolean']);
/** Most characters of what a host shows its model at each start (4 are a token or so), and of the whole list. */
const bounds = {
  'workspace-core': { shown: 22_000, whole: 30_000 },
  'workspace-full': { shown: 42_000, whole: 65_000 },
};

function isFlat(property: Readonly<Record<string, unknown>>): boolean {
  if (typeof property['type'] !== 'string') return false;
  if (flatTypes.has(property['type'])) return true;
  if (JSON.stringify(property['additionalProperties']) === '{"type":"string"}') return true;
  return property['type'] === 'array' && isFlatItem(property['items']);
}

/** A text, or an object of what is no list and no object. */
function isFlatItem(items: unknown): boolean {
  if (JSON.stringify(items) === '{"type":"string"}') return true;
  const parsed = itemSchema.safeParse(items);
  return parsed.success && Object.values(parsed.data.properties).every(({ type }) => flatTypes.has(type));
}

function sizesOf(tools: ReturnType<typeof selectTools>): { shown: number; whole: number } {
  const shown = tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
  const whole = { tools: tools.map((tool) => shownTool(tool, 'program')) };
  return { shown: JSON.stringify(shown).length, whole: JSON.stringify(whole).length };
}

describe('the tools of all operations', () => {
  it('have names of their own that every host takes', () => {
    const names = catalogue.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => !/^[a-z][a-z0-9_]{2,40}$/.test(name))).toEqual([]);
    expect(names.length).toBeGreaterThan(15);
  });

  describe.each(catalogue.map((facts): [string, ToolFacts] => [facts.name, facts]))('%s', (_name, facts) => {
    it('takes arguments at most one level deep, each described, and nothing else', () => {
      const properties = Object.entries(facts.inputSchema.properties);
      expect(properties.filter(([, property]) => !isFlat(property)).map(([field]) => field)).toEqual([]);
      expect(properties.filter(([, { description }]) => !description).map(([field]) => field)).toEqual([]);
      expect(facts.inputSchema['additionalProperties']).toBe(false);
    });

    it('states what it gives', () => {
      expect(Object.keys(facts.outputSchema.properties)).not.toEqual([]);
      expect(facts.title.length).toBeLessThan(60);
      expect(`${facts.summary} ${facts.details}`.length).toBeLessThan(2048);
    });
  });
});

describe('a server', () => {
  const base = serverOptionsSchema.parse({});
  const select = (changes: object) => selectTools(catalogue, serverOptionsSchema.parse(changes));

  it.each(['workspace-core', 'workspace-full'] as const)('has a list of bounded size in profile %s', (profile) => {
    const tools = select({ profile });
    const { shown, whole } = sizesOf(tools);
    process.stdout.write(`${profile}: ${tools.length} tools, ${shown} characters for the model, ${whole} in all\n`);
    expect(shown).toBeLessThan(bounds[profile].shown);
    expect(whole).toBeLessThan(bounds[profile].whole);
  });

  it('in workspace-full has all tools of workspace-core', () => {
    const full = new Set(select({ profile: 'workspace-full' }).map(({ name }) => name));
    expect(select({}).filter(({ name }) => !full.has(name))).toEqual([]);
  });

  it.each(modeNames)('in mode %s has the tools of its table as far as they exist', (mode) => {
    const known = new Set(catalogue.map(({ name }) => name));
    const names = select({ mode }).map(({ name }) => name);
    expect(new Set(names)).toEqual(new Set(modes[mode].tools.filter((name) => known.has(name))));
    expect(names).toContain('workspace_exec');
  });

  it('in mode inspect has no network to choose', () => {
    const create = select({ mode: 'inspect' }).find(({ name }) => name === 'workspace_create');
    expect(create?.inputSchema.properties['network_policy']).toBeUndefined();
    expect(create?.fixed).toEqual({ network_policy: 'off', package_sources: 'none' });
  });

  it.each([
    [{}, false],
    [{ network_policy: 'egress' }, true],
    [{ package_sources: 'host' }, true],
    [{ network_policy: 'egress', mode: 'inspect' }, false],
  ])('with %j says that its commands reach the open world: %s', (flags, isOpen) => {
    const hints = Object.fromEntries(
      select(flags).map(({ name, annotations }) => [name, annotations['openWorldHint'] === true]),
    );
    expect(hints['workspace_exec']).toBe(isOpen);
    expect(hints['workspace_create']).toBe(false);
    if (!isOpen) expect(Object.values(hints)).not.toContain(true);
  });

  it('tells its own defaults in the schema', () => {
    const [create] = select({ environment: 'node:24', network_policy: 'egress', package_sources: 'host' });
    expect(create?.inputSchema.properties).toMatchObject({
      environment: { default: 'node:24' },
      network_policy: { default: 'egress' },
      package_sources: { default: 'host' },
    });
  });

  it.each([
    ['published-ports', 'off', 'off'],
    ['off', 'off', 'off'],
    ['egress', 'egress', 'egress'],
    ['egress+published-ports', 'egress+published-ports', 'egress'],
  ])('under the network policy %s gives workspaces %s and single commands %s', (policy, workspace, command) => {
    const tools = select({ network_policy: policy });
    const given = ['workspace_create', 'vm_run'].map(
      (name) => tools.find((tool) => tool.name === name)?.inputSchema.properties['network_policy']?.['default'],
    );
    expect(given).toEqual([workspace, command]);
  });

  it.each([
    [{ profile: 'workspace-full' }, true],
    [{ mode: 'cold-start', network_policy: 'egress+published-ports' }, true],
    [{ profile: 'workspace-full', network_policy: 'off' }, false],
    [{ profile: 'workspace-full', network_policy: 'egress' }, false],
    [{}, false],
  ])('with %j says in its instructions that services may have ports: %s', (flags, may) => {
    const options = serverOptionsSchema.parse(flags);
    expect(instructionsFor(options, selectTools(catalogue, options)).includes('published_ports')).toBe(may);
  });

  it('keeps its instructions within what every host shows, whatever the flags', () => {
    const long = { repo_url: `https://x:y@example.org/${'a'.repeat(500)}`, repo_ref: 'b'.repeat(300) };
    for (const mode of [undefined, ...modeNames]) {
      const options = {
        ...base,
        ...long,
        mode,
        network_policy: 'egress' as const,
        allow: Array(99).fill('host.example'),
      };
      const text = instructionsFor(options, selectTools(catalogue, options));
      expect(text.length).toBeLessThanOrEqual(longestInstructions);
      expect(text.split('\n')[1]).toBe('Rules:');
      expect(text).toContain('Network: egress');
      expect(text).not.toContain('x:y@');
    }
  });

  it('offers diffs, logs and files as resources', () => {
    expect(resourceTemplates(select({})).map(({ uriTemplate }) => uriTemplate)).toEqual([
      'pyro://workspaces/{id}/diff',
      'pyro://workspaces/{id}/logs/{sequence}/{stream}',
      'pyro://workspaces/{id}/files/{+path}',
    ]);
  });
});
