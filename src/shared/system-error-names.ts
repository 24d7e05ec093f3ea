// Errors of the system that Node has no name for: it tells a quota that is used up as `Unknown system error -122`.

/** By number, as Linux has them on every processor that pyro runs on: the name, and the words of the C library */
const unnamed: ReadonlyMap<number, readonly [name: string, words: string]> = new Map([
  [74, ['EBADMSG', 'bad message']],
  [116, ['ESTALE', 'stale file handle']],
  [117, ['EUCLEAN', 'structure needs cleaning']],
  [122, ['EDQUOT', 'disk quota exceeded']],
]);
const unnamedPattern = /Unknown system error -(\d+)/;
const repeatedPattern = /Unknown system error -(\d+): Unknown system error -\1/;

/** The name that a code stands for. */
export function systemErrorName(code: string): string {
  return known(unnamedPattern.exec(code))?.[0] ?? code;
}

/** A message with the name and the words in place of the number. */
export function namedSystemError(message: string): string {
  const found = repeatedPattern.exec(message) ?? unnamedPattern.exec(message);
  const [name, words] = known(found) ?? [];
  return found === null || name === undefined ? message : message.replace(found[0], `${name}: ${words}`);
}

function known(found: RegExpExecArray | null): readonly [name: string, words: string] | undefined {
  return found === null ? undefined : unnamed.get(Number(found[1]));
}
