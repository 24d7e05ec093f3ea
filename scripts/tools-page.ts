// The reference page of the tools: profiles, modes, arguments and hints of each.
import { factsOf, type ToolFacts } from '../src/mcp/catalogue.ts';
import { modes } from '../src/mcp/modes.ts';
import { annotationsOf } from '../src/mcp/tools.ts';
import { operations } from '../src/operations/index.ts';

export function toolsPage(mark: string): string {
  const catalogue = factsOf(operations);
  const known = new Set(catalogue.map(({ name }) => name));
  const profiles = ['vm-run', 'workspace-core', 'workspace-full'] as const;
  const surfaces = [
    ...profiles.map((profile): [string, string[]] => [
      `--profile ${profile}`,
      catalogue.filter(({ tool }) => tool.profiles.includes(profile)).map(({ name }) => name),
    ]),
    ...Object.entries(modes).map(([mode, { tools }]): [string, string[]] => [
      `--mode ${mode}`,
      tools.filter((name) => known.has(name)),
    ]),
  ];
  const rows = surfaces.map(([flag, names]) => `| \`${flag}\` | ${names.length} | ${names.map(link).join(', ')} |`);
  return `# Tools\n\n${mark}\nThe tools that \`pyro mcp serve\` gives to a chat host. Results have the same facts as text and as structure; a failed call has two blocks of text, one for people and one with \`{"error": …}\` ([errors](errors.md)).\n\n| flag | tools | |\n|---|--:|---|\n${rows.join('\n')}\n\n${catalogue.map(section).join('\n')}`;
}

/** One line for each tool, and the smallest profile that has it. */
export function toolsTable(): string {
  const rows = factsOf(operations).map(({ name, summary, tool }) => {
    const profile = tool.profiles.includes('workspace-core') ? 'core' : 'full';
    return `| [${name}](docs/reference/tools.md#${name}) | ${escapeCell(summary)} | ${profile} |`;
  });
  return `| tool | what it does | profile |\n|---|---|---|\n${rows.join('\n')}\n`;
}

function link(name: string): string {
  return `[${name}](#${name})`;
}

function section(facts: ToolFacts): string {
  const { name, title, summary, details, inputSchema, outputSchema } = facts;
  const hints = Object.entries(annotationsOf(facts, true)).flatMap(([hint, value]) => (value === true ? [hint] : []));
  const required = new Set(inputSchema.required ?? []);
  const rows = Object.entries(inputSchema.properties).map(([field, property]) => {
    const preset = property['default'] === undefined ? '' : `\`${JSON.stringify(property['default'])}\``;
    const kind = required.has(field) ? `**${property['type']}**` : String(property['type']);
    return `| \`${field}\` | ${kind} | ${rangeOf(property)} | ${preset} | ${escapeCell(String(property['description']))} |`;
  });
  const table =
    rows.length === 0
      ? ''
      : `\n| argument | type (bold: required) | range | default | meaning |\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
  const results = Object.keys(outputSchema.properties).map((field) => `\`${field}\``);
  return `## ${name}\n\n**${title}.** ${summary}. ${details}\n\nHints: ${hints.join(', ') || 'none'}.\n${table}\nResult: ${results.join(', ')}.\n`;
}

function rangeOf(property: Readonly<Record<string, unknown>>): string {
  const { minimum, maximum, minLength, maxLength } = property;
  if (Array.isArray(property['enum'])) return property['enum'].map((value) => `\`${value}\``).join(' ');
  if (minimum !== undefined && maximum !== undefined && Number(maximum) < Number.MAX_SAFE_INTEGER) {
    return `${minimum} to ${maximum}`;
  }
  if (minimum !== undefined && Number(minimum) > Number.MIN_SAFE_INTEGER) return `from ${minimum}`;
  if (maxLength === undefined) return '';
  return minLength === undefined ? `at most ${maxLength} characters` : `${minLength} to ${maxLength} characters`;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|');
}
