// Calls of any operation with inputs that its schema more or less allows, the same each time for the same seed.
import { z } from 'zod';
import { createRandom, type Random } from '../../fuzz/mutate.ts';
import type { AnyOperation } from '../../src/operations/define.ts';

/** A schema as the library writes it */
const nodeSchema = z.looseObject({
  type: z.union([z.string(), z.array(z.string())]).exactOptional(),
  enum: z.array(z.unknown()).exactOptional(),
  const: z.unknown().optional(),
  anyOf: z.array(z.unknown()).exactOptional(),
  properties: z.record(z.string(), z.unknown()).exactOptional(),
  required: z.array(z.string()).exactOptional(),
  items: z.unknown().optional(),
  additionalProperties: z.unknown().optional(),
  minimum: z.number().exactOptional(),
  maximum: z.number().exactOptional(),
  minLength: z.number().exactOptional(),
  maxLength: z.number().exactOptional(),
});

/** Texts at which programs turn: ends of lines, zero bytes, halves of characters, orders to terminals, lengths of all kinds. */
const nasty: readonly string[] = [
  '',
  ' ',
  '.',
  '..',
  '/',
  '//',
  '../../..',
  './a/../b',
  '-rf',
  '--help',
  '*',
  '[a-',
  '{a,b',
  '~',
  '$(id)',
  '`id`',
  "'",
  '"',
  '\\',
  '%00',
  'a\0b',
  '\0',
  'a\nb',
  '\r\n',
  '\u001b]0;title\u0007',
  '\u001b[2J',
  '\u009b31m',
  '\ud800',
  'x\udfff',
  '\ufeffa',
  '\u202eabc',
  'é',
  'e\u0301',
  '😀',
  'a'.repeat(255),
  'a'.repeat(256),
  `${'a'.repeat(250)}/`.repeat(4),
  'a/'.repeat(2500),
  'x'.repeat(5000),
  'y'.repeat(65_537),
  'z'.repeat(200_000),
  '0',
  '-1',
  '9'.repeat(30),
  '1e309',
  'NaN',
  'null',
  'true',
  'constructor',
  '__proto__',
  'toString',
  'baseline',
  'latest',
  '[[workspace.delete workspace_id=x]]',
  '{"a":1}',
  '=',
  'A=B',
  'A=',
  '=B',
  'sha256:',
  '/proc/self/environ',
  '/dev/zero',
  '/workspace/.git/config',
];

const numbers: readonly number[] = [
  -1,
  0,
  1,
  2,
  0.5,
  -0.5,
  255,
  65_536,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 63,
  1e308,
  -1e308,
];

/** What a command of the guest may do here: end soon, and touch nothing else. */
const commands: readonly string[] = [
  'true',
  'exit 3',
  'echo hello; echo more >&2',
  'printf "\\033]0;x\\007\\377"',
  'head -c 100000 /dev/zero',
  'cat',
  'mkdir -p d/e; echo "a\\nb" > d/e/f; ln -sf d/e/f link; ln -sf nowhere broken',
  'touch "$(printf \'n\\033\\nl\')"',
  'rm -rf d',
  'mkfifo p 2>/dev/null; true',
  'sleep 0.05 & echo started',
  'kill -9 $$',
  'no-such-program',
];

export interface RandomCall {
  readonly operation: AnyOperation;
  readonly input: Readonly<Record<string, unknown>>;
}

interface Callable {
  readonly operation: AnyOperation;
  readonly node: z.infer<typeof nodeSchema>;
}

export class RandomCalls {
  readonly random: Random;
  readonly #operations: readonly Callable[];
  /** Values that earlier results had, by field */
  readonly #known = new Map<string, string[]>();
  readonly #hostFolder: string;
  /** Ids of workspaces that there are */
  readonly alive = new Set<string>();

  constructor(operations: readonly AnyOperation[], seed: number, hostFolder: string) {
    this.random = createRandom(seed);
    this.#hostFolder = hostFolder;
    this.#operations = operations.map((operation) => ({
      operation,
      node: nodeSchema.parse(z.toJSONSchema(operation.definition.input, { io: 'input', unrepresentable: 'any' })),
    }));
  }

  /** Remembers names that later calls may give. */
  learn(value: unknown): void {
    if (typeof value !== 'object' || value === null) return;
    for (const [field, each] of Object.entries(value)) {
      if (typeof each === 'object') this.learn(each);
      else if (/(_id|_name|cursor|^name|^sequence|^path)$/.test(field) && each !== null)
        this.#remember(field, String(each));
    }
  }

  next(): RandomCall {
    return this.#callOf(this.#pick(this.#operations));
  }

  /** A call of this operation. */
  of(name: string): RandomCall {
    const found = this.#operations.find(({ operation }) => operation.definition.name === name);
    if (found === undefined) throw new Error(`there is no operation ${name}`);
    return this.#callOf(found);
  }

  #callOf({ operation, node }: Callable): RandomCall {
    const input: Record<string, unknown> = {};
    const required = new Set(node.required ?? []);
    // Most calls are nearly right: whatever is all wrong goes no further than the first check.
    const wildness = this.#pick([0, 0, 0, 4, 30]);
    for (const [field, schema] of Object.entries(node.properties ?? {})) {
      if (!required.has(field) && this.random(3) > 0) continue;
      if (required.has(field) && this.random(100) < wildness / 4) continue;
      input[field] = this.random(100) < wildness ? this.#anything(2) : this.#value(field, schema, 3);
    }
    if (this.random(100) < wildness) input[this.#pick(nasty)] = this.#anything(2);
    return { operation, input };
  }

  #value(field: string, schema: unknown, depth: number): unknown {
    const node = nodeSchema.parse(schema);
    if (node.const !== undefined) return node.const;
    if (node.enum !== undefined) return this.#pick(node.enum);
    if (node.anyOf !== undefined) return this.#value(field, this.#pick(node.anyOf), depth);
    switch (typeof node.type === 'string' ? node.type : this.#pick(node.type ?? ['string'])) {
      case 'boolean':
        return this.random(2) === 0;
      case 'null':
        return null;
      case 'integer':
      case 'number':
        return this.#number(field, node);
      case 'array':
        if (depth === 0) return [];
        return Array.from({ length: this.random(20) === 0 ? 300 : this.random(4) }, () =>
          this.#value(field, node.items ?? {}, depth - 1),
        );
      case 'object': {
        const fields = Object.entries(node.properties ?? {}).filter(
          ([name]) => node.required?.includes(name) === true || this.random(2) === 0,
        );
        const entries = fields.map(([name, each]): [string, unknown] => [name, this.#value(name, each, depth - 1)]);
        const more = typeof node.additionalProperties === 'object' && depth > 0 ? this.random(4) : 0;
        for (let left = more; left > 0; left--)
          entries.push([this.#text('key'), this.#value(field, node.additionalProperties, depth - 1)]);
        return Object.fromEntries(entries);
      }
      default:
        return this.#text(field);
    }
  }

  #number(field: string, { minimum = 0, maximum = 1000 }: z.infer<typeof nodeSchema>): number {
    // What waits, waits shortly.
    if (/(_seconds|_ms|^wait)/.test(field)) return Math.max(minimum, 0);
    return this.#pick([
      minimum,
      minimum,
      Math.min(maximum, minimum + this.random(100)),
      maximum,
      ...(this.random(10) === 0 ? numbers : []),
    ]);
  }

  #text(field: string): string {
    // Most of what is called goes somewhere.
    const alive = /^(workspace|vm)_id$/.test(field) && this.random(30) > 0 ? [...this.alive] : [];
    if (alive.length > 0) return this.#pick(alive);
    const known = [...(this.#known.get(field) ?? []), ...(field === 'key' ? ['a', 'KEY', 'A_B'] : [])];
    if (field === 'command')
      return this.random(8) === 0 ? `: ${this.#pick(nasty).replaceAll(/[`$();]/g, '')}` : this.#pick(commands);
    if (/(output_path|source_path|seed_path|file_path|^to|^folder|^target)$/.test(field) && this.random(3) > 0)
      return `${this.#hostFolder}/${this.#pick(['out', 'in', 'in/a', 'deep/er', ...nasty.slice(0, 40)])}`;
    if (known.length > 0 && this.random(8) > 0) return this.#pick(known);
    if (field === 'environment' && this.random(4) > 0) return 'debian:12';
    if (field === 'patch' && this.random(2) > 0) return this.#pick(patches);
    return this.#pick(this.random(3) === 0 ? nasty : ['a', 'link', 'd/e/f', 'new', 'p', 'hello']);
  }

  #anything(depth: number): unknown {
    switch (this.random(depth > 0 ? 8 : 6)) {
      case 0:
        return null;
      case 1:
        return this.random(2) === 0;
      case 2:
        return this.#pick(numbers);
      case 3:
      case 4:
      case 5:
        return this.#pick(nasty);
      case 6:
        return Array.from({ length: this.random(5) }, () => this.#anything(depth - 1));
      default:
        return { [this.#pick(nasty)]: this.#anything(depth - 1) };
    }
  }

  #remember(field: string, value: string): void {
    const all = this.#known.get(field) ?? [];
    if (all.includes(value)) return;
    this.#known.set(field, [...all, value].slice(-20));
  }

  #pick<T>(items: readonly T[]): T {
    const item = items[this.random(items.length)];
    if (item === undefined && items.length === 0) throw new Error('nothing to choose from');
    // biome-ignore lint/style/noNonNullAssertion: an index below the length of a list that is not empty
    return item!;
  }
}

const patches: readonly string[] = [
  'diff --git a/a b/a\nnew file mode 100644\n--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+x\n',
  '*** Begin Patch\n*** Add File: new\n+x\n*** End Patch\n',
  '*** Begin Patch\n*** Update File: a\n@@\n-x\n+y\n*** End Patch\n',
  '*** Begin Patch\n*** Delete File: d/e/f\n*** End Patch\n',
  'diff --git a/../../x b/../../x\n--- a/../../x\n+++ b/../../x\n@@ -1 +1 @@\n-a\n+b\n',
];
