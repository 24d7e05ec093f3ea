// What both kinds of configuration files offer: look an entry up, set fields of it, take it away, and say where a text is broken.
export interface TextFault {
  readonly message: string;
  /** Counted from 1 */
  readonly line: number;
  readonly column: number;
}

export type EntryPath = readonly string[];
export type Fields = Readonly<Record<string, unknown>>;

export interface ConfigEditor {
  /** What keeps the text from being read; undefined when it is fine */
  readonly faultOf: (text: string) => TextFault | undefined;
  /** Value at a path of a text without fault */
  readonly valueAt: (text: string, path: EntryPath) => unknown;
  /** Sets fields of the entry at a path, undefined takes a field away; everything else stays as it is */
  readonly setFields: (text: string, path: EntryPath, fields: Fields) => string;
  readonly removeEntry: (text: string, path: EntryPath) => string;
  /** True when the same entry stands in the text more than once */
  readonly isRepeated: (text: string, path: EntryPath) => boolean;
  /** A text without fault that keeps what the user wrote, or undefined when that takes a person */
  readonly mend: (text: string, path: EntryPath) => string | undefined;
}

export function positionOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}
