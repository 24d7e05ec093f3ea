// A right input, to show to a caller whose own was none.

import { wordFormOf } from '../contract/word-forms.ts';
import type { AnyOperation } from './define.ts';
import { type InputNode, isMap, nodeOf } from './input-node.ts';

/** What stands for fields whose type says too little */
const values: Readonly<Record<string, unknown>> = {
  workspace_id: '6f1e538c0e71',
  vm_id: '6f1e538c0e71',
  shell_id: 'c7cd34864680',
  environment: 'debian:12',
  command: 'make test',
  path: 'src/app.py',
  source_path: './src',
  dest: '/workspace/src',
  seed_path: '.',
  output_path: './out',
  old_text: 'x = 1',
  new_text: 'x = 2',
  patch: '*** Begin Patch\n*** Update File: src/app.py\n@@\n-x = 1\n+x = 2\n*** End Patch',
  service_name: 'web',
  snapshot_name: 'before',
  content_base64: 'aGVsbG8=',
  mode: '755',
  cwd: '/workspace/src',
  glob: '**/*.py',
  allow: ['example.org'],
  ready_tcp: '8000',
  ready_http: 'http://localhost:8000/',
  detach_key: 'ctrl-]',
  timeout_seconds: 30,
  sequence: 1,
};

/** An input with what is required and these fields, as JSON. */
export function exampleOf({ definition }: Pick<AnyOperation, 'definition'>, fields: readonly string[]): string {
  const { properties = {}, required } = nodeOf(definition.input);
  const shown = Object.entries(properties).filter(([field]) => required.includes(field) || fields.includes(field));
  const pairs = shown.map(([field, node]): [string, unknown] => {
    const schema = definition.input.shape[field];
    const form = schema === undefined ? undefined : wordFormOf(schema);
    return [field, form === undefined ? valueFor(field, node) : form.example];
  });
  return JSON.stringify(Object.fromEntries(pairs));
}

function valueFor(field: string, node: InputNode): unknown {
  const known = values[field];
  const { type, enum: choices, default: preset, minimum } = node;
  if (choices !== undefined) return choices[0];
  if (field === 'command' && type === 'array') return ['make', 'test'];
  if (known !== undefined && (type === 'array') === Array.isArray(known)) return known;
  if (preset !== undefined && !Array.isArray(preset)) return preset;
  switch (type) {
    case 'boolean':
      return true;
    case 'number':
    case 'integer':
      return Math.max(1, minimum ?? 1);
    case 'array':
      return [node.items === undefined ? '…' : valueFor(field.replace(/s$/, ''), node.items)];
    case 'object':
      return isMap(node) ? { NAME: 'value' } : objectOf(node);
    default:
      return '…';
  }
}

function objectOf({ properties = {}, required }: InputNode): unknown {
  const needed = Object.entries(properties).filter(([field]) => required.includes(field));
  return Object.fromEntries(needed.map(([field, node]) => [field, valueFor(field, node)]));
}
