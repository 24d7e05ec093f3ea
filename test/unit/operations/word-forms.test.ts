// Tests of fields that programs write as objects and the command line as words: one definition gives the same value for both.
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createProgram } from '../../../src/cli/program.ts';
import { mapField, portsField, secretEnvField, secretsField, wordFormOf } from '../../../src/contract/word-forms.ts';
import { operations } from '../../../src/operations/index.ts';

/** The input that a command line makes, after the words for the command. */
async function inputOf(words: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const inputs: Readonly<Record<string, unknown>>[] = [];
  const program = createProgram('0', true, async ({ input }) => void inputs.push(input));
  await program.parseAsync([...words], { from: 'user' });
  return inputs[0] ?? {};
}

describe('a field with words', () => {
  it.each([
    ['exec 6f1e538c0e71 --env A=b --env C=d=e --env F=', { env: { A: 'b', C: 'd=e', F: '' } }],
    ['exec 6f1e538c0e71 --env A=1 --env A=2', { env: { A: '2' } }],
    ['exec 6f1e538c0e71 --env __proto__=x', { env: Object.fromEntries([['__proto__', 'x']]) }],
    ['exec 6f1e538c0e71 --secret-env A --secret-env B=C', { secret_env: { A: 'A', B: 'C' } }],
    [
      'service start 6f1e538c0e71 web --published-port 8080:80 --published-port 443',
      { published_ports: [{ guest_port: 80, host_port: 8080 }, { guest_port: 443 }] },
    ],
  ])('is written as %s', async (line, expected) => {
    expect(await inputOf(['workspace', ...line.split(' ')])).toMatchObject(expected);
  });

  it('may have two options, whose items are gathered', async () => {
    const program = createProgram('0', false, async ({ input }) => {
      expect(input['secrets']).toEqual([
        { name: 'A', value: '-' },
        { name: 'B', file_path: 'b=c' },
      ]);
    });
    await program.parseAsync('workspace create --secret-file B=b=c --secret A=-'.split(' '), { from: 'user' });
    expect.assertions(1);
  });

  it.each(['', '0', '70000', '80:80', '8080:', ':80', '1:2:3', 'web', '70000:80', '8080:0'])(
    'is never a published port of %j',
    async (word) => {
      const line = ['workspace', 'service', 'start', '6f1e538c0e71', 'web', '--published-port', word];
      await expect(inputOf(line)).rejects.toThrow(/--published-port/);
    },
  );

  it.each([
    ['exec 6f1e538c0e71 --env A', /--env: "A" is not K=V/],
    ['exec 6f1e538c0e71 --env =x', /--env: "=x" is not K=V/],
    ['exec 6f1e538c0e71 --secret-env A=B --secret-env A=C', /--secret-env: "A" is given twice/],
  ])('refuses %s', async (line, message) => {
    await expect(inputOf(['workspace', ...line.split(' ')])).rejects.toThrow(message);
  });

  it('is every field of every command that is a map or a list of objects', () => {
    const bare = operations.flatMap(({ definition }) =>
      Object.entries(definition.input.shape).flatMap(([field, schema]) => {
        const json = JSON.stringify(z.toJSONSchema(schema, { io: 'input' }));
        return json.includes('"object"') && wordFormOf(schema) === undefined ? [`${definition.name} ${field}`] : [];
      }),
    );
    expect(bare).toEqual([]);
  });

  it('has an example that its schema takes', () => {
    for (const schema of [mapField('Labels', { task: '42' }), secretEnvField, secretsField, portsField]) {
      expect(schema.safeParse(wordFormOf(schema)?.example).success).toBe(true);
    }
  });

  it('takes a secret with a value or a file, not with both or none', () => {
    expect(secretsField.safeParse([{ name: 'A' }]).success).toBe(false);
    expect(secretsField.safeParse([{ name: 'A', value: 'x', file_path: 'y' }]).success).toBe(false);
  });
});
