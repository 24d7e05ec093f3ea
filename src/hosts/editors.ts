// The editor of each kind of configuration file.
import type { ConfigFormat } from './adapter.ts';
import type { ConfigEditor } from './document.ts';
import { jsonEditor } from './json-edit.ts';
import { tomlEditor } from './toml-edit.ts';

export function editorFor(format: ConfigFormat): ConfigEditor {
  return format === 'toml' ? tomlEditor : jsonEditor(format);
}
