// Fields that are maps or lists of objects, each with the words that the command line writes for them: one definition for both.
import { z } from 'zod';
import { PyroError } from '../shared/errors.ts';

/** A way to write an item of a field as one word. */
export interface WordOption {
  /** Ending of the option's name where a field has more than one: `file` makes `--secret-file` of `secrets` */
  readonly suffix?: string;
  /** What a word looks like, for help */
  readonly word: string;
  /** What help says of it in place of the field's own description */
  readonly description?: string;
  /** The item of a word. Throws `usage`. */
  readonly read: (word: string, field: string) => unknown;
}

export interface WordForm {
  readonly options: readonly WordOption[];
  /** The value of the field from its items. Throws `usage` for items that exclude each other. */
  readonly gather: (items: readonly unknown[], field: string) => unknown;
  /** A value as a program writes it, for those who got it wrong */
  readonly example: unknown;
  /** True where a number or boolean as value means something else than its text */
  readonly isStrict?: boolean;
}

const forms = z.registry<WordForm>();

/** How the command line writes a field; undefined for one that is a word already. */
export function wordFormOf(schema: z.ZodType): WordForm | undefined {
  return forms.get(schema);
}

/** A field with the words for it. */
export function worded<S extends z.ZodType>(schema: S, form: WordForm): S {
  forms.add(schema, form);
  return schema;
}

const pairSchema = z.tuple([z.string(), z.string()]);
const mostEntries = 1000;

/** A map of texts, which the command line writes `K=V`. */
export function mapField(description: string, example: Readonly<Record<string, string>>): MapField {
  const key = z.string().regex(/^[^=\0]+$/, 'a name must not be empty or contain =');
  return worded(mapOf(key).describe(description), {
    options: [{ word: 'K=V', read: readPair }],
    gather: (items) => Object.fromEntries(items.map((item) => pairSchema.parse(item))),
    example,
  });
}

/** Secrets for the environment of a process: the name of each with the variable that gets it. */
export const secretEnvField = worded(
  mapOf(z.string()).describe('Secrets of the workspace for the environment, name to variable'),
  {
    options: [
      {
        word: 'NAME[=VARIABLE]',
        description: 'Secrets of the workspace for the environment',
        read: (word, field) => (word.includes('=') ? readPair(word, field) : [word, word]),
      },
    ],
    gather: (items, field) => {
      const pairs = items.map((item) => pairSchema.parse(item));
      const twice = pairs.find(([name], index) => pairs.findIndex(([other]) => other === name) < index);
      if (twice !== undefined) throw new PyroError('usage', `${field}: ${JSON.stringify(twice[0])} is given twice`);
      return Object.fromEntries(pairs);
    },
    example: { TOKEN: 'API_TOKEN' },
    isStrict: true,
  },
);

const secretSchema = z
  .strictObject({
    name: z.string().min(1),
    value: z.string().optional(),
    file_path: z.string().min(1).optional(),
  })
  .refine(({ value, file_path: path }) => (value === undefined) !== (path === undefined), 'give value or file_path');

export const secretsField = worded(
  z
    .array(secretSchema)
    .max(mostEntries)
    .default([])
    .describe('Secrets by value or from a file on the host: in /run/pyro-secrets and by secret_env; never shown'),
  {
    options: [
      {
        word: 'NAME=-',
        description:
          'Secret, with its value on standard input: in a file under /run/pyro-secrets, and by --secret-env in commands; never shown',
        read: (word) => {
          // A word without a name may be a value alone: it is refused as one that has no name, and not shown.
          const at = word.indexOf('=');
          return at < 0 ? { name: '', value: word } : { name: word.slice(0, at), value: word.slice(at + 1) };
        },
      },
      {
        suffix: 'file',
        word: 'NAME=PATH',
        description: 'Secret from a file on the host',
        read: (word, field) => {
          const [name, path] = readPair(word, field, 'NAME=PATH');
          return { name, file_path: path };
        },
      },
    ],
    gather: (items) => [...items],
    example: [{ name: 'TOKEN', value: 's3cret' }],
  },
);

const portSchema = z.strictObject({
  guest_port: z.number().int().min(1).max(65_535),
  host_port: z.number().int().min(1025).max(65_535).optional(),
});

export const portsField = worded(
  z.array(portSchema).max(32).default([]).describe('Guest ports on 127.0.0.1 of the host; default any free host_port'),
  {
    options: [
      {
        word: '[HOST:]GUEST',
        description: 'Guest ports on 127.0.0.1 of the host; default any free one there',
        read: readPort,
      },
    ],
    gather: (items) => [...items],
    example: [{ guest_port: 80, host_port: 8080 }],
  },
);

const editSchema = z.strictObject({
  old_text: z.string().min(1),
  new_text: z.string(),
  replace_all: z.boolean().optional(),
});

export const editsField = worded(
  z
    .array(editSchema)
    .min(1)
    .max(mostEntries)
    .optional()
    .describe('Several replacements, in order, all or none; old_text must occur once unless replace_all'),
  {
    options: [{ word: 'JSON', description: 'One of several replacements, all or none', read: readJson }],
    gather: (items) => [...items],
    example: [{ old_text: 'x = 1', new_text: 'x = 2' }],
  },
);

type MapField = ReturnType<typeof mapOf>;

function mapOf(key: z.ZodString): z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodString>> {
  return z.record(key, z.string()).default({});
}

function readPair(word: string, field: string, form = 'K=V'): [string, string] {
  const at = word.indexOf('=');
  if (at < 1)
    throw new PyroError('usage', `${field}: ${JSON.stringify(word.slice(0, 80))} is not ${form}`, {
      hint: `example: ${field} a=b`,
    });
  return [word.slice(0, at), word.slice(at + 1)];
}

function readJson(word: string, field: string): unknown {
  try {
    return JSON.parse(word);
  } catch (error) {
    throw new PyroError('usage', `${field}: ${JSON.stringify(word.slice(0, 80))} is not JSON`, {
      hint: `example: ${field} '{"old_text":"x = 1","new_text":"x = 2"}'`,
      cause: error,
    });
  }
}

/** `8080:80` is port 80 of the guest at port 8080 of the host, `80` is at any free one. */
function readPort(word: string, field: string): z.infer<typeof portSchema> {
  const match = /^(?:(\d{1,5}):)?(\d{1,5})$/.exec(word);
  const parsed = portSchema.safeParse({
    guest_port: Number(match?.[2]),
    ...(match?.[1] === undefined ? {} : { host_port: Number(match[1]) }),
  });
  if (match !== null && parsed.success) return parsed.data;
  throw new PyroError('usage', `${field}: ${JSON.stringify(word.slice(0, 80))} is not HOST:GUEST or GUEST`, {
    hint: 'a host port is 1025 to 65535, a guest port 1 to 65535; example: 8080:80',
  });
}
