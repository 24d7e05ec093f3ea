// One change of a configuration file: planned from its text, shown, and written if the text is still the same.
import { PyroError } from '../shared/errors.ts';
import type { ConfigPlace, HostAdapter } from './adapter.ts';
import { type ConfigFile, readConfigFile, writeConfigFile } from './config-file.ts';
import type { ConfigEditor } from './document.ts';
import { editorFor } from './editors.ts';
import { diffText } from './text-diff.ts';

export type Edit = (text: string, editor: ConfigEditor) => string;

export interface Plan {
  readonly place: ConfigPlace;
  readonly file: ConfigFile;
  readonly after: string;
  readonly diff: string;
}

const mostAttempts = 3;

/** Throws `host_config_invalid` for a text that does not parse, unless the edit is what fixes it. */
export async function planEdit(
  adapter: HostAdapter,
  place: ConfigPlace,
  edit: Edit,
  options: { readonly mayBeBroken: boolean } = { mayBeBroken: false },
): Promise<Plan> {
  const file = await readConfigFile(place.path, place.scope === 'project' ? 0o644 : 0o600);
  const editor = editorFor(place.format);
  if (!options.mayBeBroken) requireSound(adapter, place, file, editor);
  const after = edit(file.text, editor);
  return { place, file, after, diff: diffText(file.path, file.text, after) };
}

/** Writes the plan, made again when the host wrote in between, and gives the path of the backup. */
export async function carryOut(plan: Plan, replan: () => Promise<Plan>): Promise<string | null> {
  let current = plan;
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    if (current.after === current.file.text) return null;
    const { text } = await readConfigFile(current.place.path, current.file.mode);
    if (text === current.file.text) {
      return await writeConfigFile(current.file, current.after);
    }
    current = await replan();
  }
  throw new PyroError('host_config_changing', `${plan.place.path} kept changing while it was being edited`, {
    hint: 'close the chat host, then run the command again',
  });
}

export function requireSound(
  { name, title }: HostAdapter,
  place: ConfigPlace,
  file: ConfigFile,
  editor: ConfigEditor = editorFor(place.format),
): void {
  const fault = editor.faultOf(file.text);
  if (fault === undefined) return;
  const { line, column, message } = fault;
  throw new PyroError(
    'host_config_invalid',
    `${title} cannot read ${place.path}: line ${line}, column ${column}: ${message}`,
    {
      hint: `fix it with: pyro host repair ${name} --force, or by hand with: \${EDITOR:-vi} +${line} ${place.path}`,
      details: { config_file: place.path, line, column, host: name },
    },
  );
}
