// config: the defaults of this user.

import { configInput, configOutput, valueSchema } from '../contract/machine.ts';
import { PyroError } from '../shared/errors.ts';
import { formatTable } from '../shared/table.ts';
import { defineOperation } from './define.ts';
import { faultOf, findSetting, parseSetting, type Setting, settingName, settings } from './settings.ts';

/** How a default is told that is none or not always the same, by the name of the setting */
const wordsForNone: ReadonlyMap<string, string> = new Map([['timeout-seconds', '30, none at a terminal']]);

export const config = defineOperation({
  name: 'config',
  title: 'Show and set defaults',
  summary: 'Show and set defaults of the commands that create machines',
  details:
    'Without a name it lists them, without a value it shows one. Options on a command line take precedence. Chat hosts use the sizes, the idle limit and the environment, too; their network is set by pyro mcp serve.',
  effect: 'write',
  place: 'front',
  positionals: ['name', 'value'],
  input: configInput,
  output: configOutput,
  examples: [
    { why: 'What is set', command: 'pyro config' },
    { why: 'Workspaces have 4 GiB of memory', command: 'pyro config mem-mib 4096' },
    { why: 'Create workspaces from this environment', command: 'pyro config environment debian:12-dev' },
    { why: 'Back to the default', command: 'pyro config --unset mem-mib' },
  ],
  run: async ({ engine }, { name, value, unset: isUnset }) => {
    const setting = name === undefined ? undefined : findSetting(name);
    if (isUnset && (setting === undefined || value !== undefined)) {
      throw new PyroError('usage', '--unset takes the name of a setting and no value', {
        hint: 'for example: pyro config --unset mem-mib',
      });
    }
    const { path, stored } = await engine.readSettings();
    const next = { ...stored };
    if (setting !== undefined && isUnset) delete next[setting.field];
    if (setting !== undefined && value !== undefined) next[setting.field] = parseSetting(setting, value);
    if (isUnset || value !== undefined) await engine.writeSettings(next);
    const shown = setting === undefined ? [...settings.values()] : [setting];
    const unknown = Object.keys(next).filter((field) => !settings.has(field));
    return { path, settings: shown.map((each) => stateOf(each, next)), unknown };
  },
  render: ({ path, settings: shown, unknown }, width) => {
    const rows = shown.map(({ name, value, is_set: isSet, fault, commands }) => [
      name,
      value === null ? (wordsForNone.get(name) ?? '-') : String(value),
      fault !== null ? 'wrong' : isSet ? 'set' : 'default',
      commands.map((each) => each.replaceAll('.', ' ')).join(', '),
    ]);
    const notes = [
      ...shown.flatMap(({ name, fault }) => (fault === null ? [] : [`${name}: ${fault}; ${mending(name)}`])),
      ...unknown.map((name) => `${name}: there is no such setting`),
    ];
    return `${[formatTable([['SETTING', 'VALUE', 'FROM', 'COMMANDS'], ...rows], width), path, ...notes].join('\n')}\n`;
  },
});

function mending(name: string): string {
  return `pyro config ${name} VALUE sets it, pyro config --unset ${name} removes it`;
}

function stateOf({ field, schema, usual, operations }: Setting, stored: Readonly<Record<string, unknown>>) {
  const isSet = stored[field] !== undefined;
  const given = stored[field] ?? null;
  const fault = isSet ? faultOf({ schema }, stored[field]) : null;
  // What the file has may be anything; it is shown as it is there.
  const shown = fault === null || typeof given === 'string' ? given : JSON.stringify(given);
  return {
    name: settingName(field),
    value: valueSchema.parse(isSet ? shown : (usual ?? null)),
    is_set: isSet,
    fault,
    commands: [...operations],
  };
}
