// Inputs and outputs of the operations as TypeScript, from their schemas, with what the schemas say of each field.
import { z } from 'zod';
import { operations } from '../src/operations/index.ts';

const nodeSchema = z.object({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  description: z.string().optional(),
  default: z.unknown().optional(),
  const: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
  required: z.array(z.string()).default([]),
  get properties() {
    return z.record(z.string(), nodeSchema).optional();
  },
  get additionalProperties() {
    return z.union([z.boolean(), nodeSchema]).optional();
  },
  get items() {
    return nodeSchema.optional();
  },
  get anyOf() {
    return z.array(nodeSchema).optional();
  },
});
type Node = z.infer<typeof nodeSchema>;

export function operationTypes(): string {
  const parts = operations.map(({ definition }) => {
    const { name, summary, input, output, commandDefaults = {} } = definition;
    const into = nodeSchema.parse(z.toJSONSchema(input, { io: 'input' }));
    const properties = Object.entries(into.properties ?? {}).map(([field, node]): [string, Node] => [
      field,
      commandDefaults[field] === undefined ? node : { ...node, default: commandDefaults[field] },
    ]);
    const whole = { ...into, properties: Object.fromEntries(properties) };
    const out = nodeSchema.parse(z.toJSONSchema(output, { io: 'output' }));
    return `  /** ${comment(summary)} */\n  readonly '${name}': {\n    readonly input: ${typeOf(whole, '    ')};\n    readonly output: ${typeOf(out, '    ')};\n  };\n`;
  });
  return `/** Input and output of each operation, by its name. Written by the build from the schemas of the operations. */\nexport type OperationTypes = {\n${parts.join('')}};\n`;
}

function typeOf(node: Node, indent: string): string {
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum !== undefined) return node.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (node.anyOf !== undefined) return node.anyOf.map((each) => typeOf(each, indent)).join(' | ');
  const { type } = node;
  if (Array.isArray(type)) return type.map((each) => typeOf({ ...node, type: each }, indent)).join(' | ');
  switch (type) {
    case 'integer':
      return 'number';
    case 'number':
    case 'string':
    case 'boolean':
    case 'null':
      return type;
    case 'array':
      return `Array<${node.items === undefined ? 'unknown' : typeOf(node.items, indent)}>`;
    case 'object':
      return objectType(node, indent);
    default:
      return 'unknown';
  }
}

function objectType({ properties = {}, required, additionalProperties: others }: Node, indent: string): string {
  const inner = `${indent}  `;
  const fields = Object.entries(properties).map(([name, node]) => {
    const isNeeded = required.includes(name);
    const type = typeOf(node, inner);
    return `${docOf(node, inner)}${inner}${propertyName(name)}${isNeeded ? '' : '?'}: ${type}${isNeeded ? '' : ' | undefined'};\n`;
  });
  const open = typeof others === 'object' ? [`${inner}[key: string]: ${typeOf(others, inner)};\n`] : [];
  return fields.length + open.length === 0 ? 'Record<string, never>' : `{\n${[...fields, ...open].join('')}${indent}}`;
}

function docOf({ description, default: preset }: Node, indent: string): string {
  if (description === undefined) return '';
  const isTold = preset !== undefined && preset !== false && !(Array.isArray(preset) && preset.length === 0);
  return `${indent}/** ${comment(description)}${isTold ? `; ${JSON.stringify(preset)} unless given` : ''} */\n`;
}

function comment(text: string): string {
  return text.replaceAll('*/', '* /');
}

/** As TypeScript takes it: what begins with a digit stands in quotes. */
function propertyName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : `'${name}'`;
}
