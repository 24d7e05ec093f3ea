// JSON and JSON with comments, edited in place: comments, order and layout of everything else stay.
import { isDeepStrictEqual } from 'node:util';
import {
  createScanner,
  getNodeValue,
  type Node,
  type ParseError,
  type ParseOptions,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser';
import { PyroError } from '../shared/errors.ts';
import { type ConfigEditor, type EntryPath, positionOf, type TextFault } from './document.ts';
import { endToken, insertMember, removeMember, replaceValue } from './json-members.ts';
import { mendJson } from './json-mend.ts';

export function jsonEditor(format: 'json' | 'jsonc'): ConfigEditor {
  const options: ParseOptions =
    format === 'json' ? { disallowComments: true, allowTrailingComma: false } : { allowTrailingComma: true };
  const faultOf = (text: string): TextFault | undefined => firstFault(text, options);
  return {
    faultOf,
    valueAt: (text, path) => {
      const node = nodeAt(text, path);
      return node === undefined ? undefined : getNodeValue(node);
    },
    setFields: (text, path, fields) => {
      let next = isBlank(text) ? `${text}{}\n` : text;
      const known = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
      if (nodeAt(next, path) === undefined) return addEntry(next, path, known);
      for (const [field, value] of Object.entries(fields)) {
        const current = nodeAt(next, [...path, field]);
        if (current === undefined ? value === undefined : isDeepStrictEqual(getNodeValue(current), value)) continue;
        if (value === undefined) next = removeAll(next, [...path, field]);
        else if (current === undefined) next = addEntry(next, [...path, field], value);
        else next = replaceValue(next, current, value);
      }
      return next;
    },
    removeEntry: removeAll,
    isRepeated: (text, path) => membersAt(text, path).length > 1,
    mend: (text, path) => {
      if (depthFault(text) !== undefined) return undefined;
      const parsed = faultOf(text) === undefined ? text : mendJson(text, options);
      if (parsed === undefined) return undefined;
      return dropRepeated(parsed, path);
    },
  };
}

function isBlank(text: string): boolean {
  // Other blanks of Unicode are none to JSON.
  return !/[^ \t\r\n]/.test(text);
}

/** No configuration is as deep; who reads it calls itself for each level, and a hostile one would fill the stack */
const deepest = 500;

function depthFault(text: string): TextFault | undefined {
  const scanner = createScanner(text, true);
  let depth = 0;
  while (scanner.scan() !== endToken) {
    const first = text[scanner.getTokenOffset()] ?? '';
    if ('{['.includes(first)) depth++;
    else if ('}]'.includes(first)) depth--;
    if (depth > deepest)
      return { message: `nested more than ${deepest} levels deep`, ...positionOf(text, scanner.getTokenOffset()) };
  }
  return undefined;
}

function firstFault(text: string, options: ParseOptions): TextFault | undefined {
  if (isBlank(text)) return undefined;
  const tooDeep = depthFault(text);
  if (tooDeep !== undefined) return tooDeep;
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, options);
  const error = errors[0];
  if (error !== undefined) {
    const words = printParseErrorCode(error.error)
      .replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ')
      .toLowerCase();
    return { message: words, ...positionOf(text, error.offset) };
  }
  return root?.type === 'object' ? undefined : { message: 'an object is expected', line: 1, column: 1 };
}

function nodeAt(text: string, path: EntryPath): Node | undefined {
  if (isBlank(text)) return undefined;
  const root = parseTree(text, [], { allowTrailingComma: true });
  if (root === undefined) return undefined;
  let node: Node | undefined = root;
  for (const [index, name] of path.entries()) {
    if (node === undefined) return undefined;
    if (node.type !== 'object') {
      throw new PyroError('host_config_invalid', `${path.slice(0, index).join('.')} is not an object`, {
        hint: 'fix it by hand',
        details: { ...positionOf(text, node.offset) },
      });
    }
    // The last of several members of one name is the one that counts.
    node = valueNode(membersOf(node, name).at(-1));
  }
  return node;
}

/** The deepest object that is there takes what is missing, nested. */
function addEntry(text: string, path: EntryPath, value: unknown): string {
  const at = path.findIndex((_, index) => nodeAt(text, path.slice(0, index + 1)) === undefined);
  const parent = nodeAt(text, path.slice(0, at));
  const nested = path.slice(at + 1).reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
  const name = path[at];
  if (parent === undefined || name === undefined) throw new PyroError('internal', `no place for ${path.join('.')}`);
  return insertMember(text, parent, name, nested);
}

function removeAll(text: string, path: EntryPath): string {
  let next = text;
  for (;;) {
    const parent = nodeAt(next, path.slice(0, -1));
    const member = membersOf(parent, path.at(-1)).at(-1);
    if (parent === undefined || member === undefined) return next;
    next = removeMember(next, parent, member);
  }
}

function membersAt(text: string, path: EntryPath): Node[] {
  return membersOf(nodeAt(text, path.slice(0, -1)), path.at(-1));
}

function membersOf(object: Node | undefined, name: string | undefined): Node[] {
  return (object?.children ?? []).filter((member) => member.children?.[0]?.value === name);
}

function valueNode(member: Node | undefined): Node | undefined {
  return member?.children?.[1];
}

/** The earlier ones go, up to the member behind each: hosts read the last. */
function dropRepeated(text: string, path: EntryPath): string {
  let next = text;
  for (;;) {
    const [first, second] = membersAt(next, path);
    const all = nodeAt(next, path.slice(0, -1))?.children ?? [];
    const behind = all.find(({ offset }) => first !== undefined && offset > first.offset);
    if (first === undefined || second === undefined || behind === undefined) return next;
    next = next.slice(0, first.offset) + next.slice(behind.offset);
  }
}
