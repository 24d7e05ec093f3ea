// What changes in a file, as one hunk for a person; values that look like secrets are not shown.

const contextLines = 3;
const secretLine = /((?:token|secret|password|passwd|api[_-]?key|authorization|credential)[\w-]*["']?\s*[:=]\s*)\S.*/i;
/** Above this many pairs of lines to compare, the change is shown as one block. */
const mostPairs = 250_000;

/** Empty when nothing changes. */
export function diffText(path: string, before: string, after: string): string {
  if (before === after) return '';
  const old = linesOf(before);
  const next = linesOf(after);
  let start = 0;
  while (start < old.length && start < next.length && old[start] === next[start]) start++;
  let end = 0;
  while (end < old.length - start && end < next.length - start && old.at(-1 - end) === next.at(-1 - end)) end++;
  const from = Math.max(0, start - contextLines);
  const behind = Math.min(end, contextLines);
  const removed = old.slice(start, old.length - end);
  const added = next.slice(start, next.length - end);
  const total = start - from + behind;
  return [
    `--- ${before === '' ? '/dev/null' : path}`,
    `+++ ${path}`,
    `@@ -${from + 1},${total + removed.length} +${from + 1},${total + added.length} @@`,
    ...old.slice(from, start).map((line) => ` ${line}`),
    ...changeLines(removed, added),
    ...old.slice(old.length - end, old.length - end + behind).map((line) => ` ${line}`),
  ]
    .map((line) => line.replace(secretLine, '$1…'))
    .join('\n')
    .concat('\n');
}

function linesOf(text: string): string[] {
  if (text === '') return [];
  return text.replace(/\r?\n$/, '').split(/\r?\n/);
}

/** By the longest common subsequence, so that a line that stays is not shown as changed. */
function changeLines(removed: readonly string[], added: readonly string[]): string[] {
  if (removed.length * added.length > mostPairs) {
    return [...removed.map((line) => `-${line}`), ...added.map((line) => `+${line}`)];
  }
  const lengths = Array.from({ length: removed.length + 1 }, () => new Uint32Array(added.length + 1));
  const at = (row: number, column: number): number => lengths[row]?.[column] ?? 0;
  for (let row = removed.length - 1; row >= 0; row--) {
    for (let column = added.length - 1; column >= 0; column--) {
      const isSame = removed[row] === added[column];
      const length = isSame ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1));
      lengths[row]?.fill(length, column, column + 1);
    }
  }
  const lines: string[] = [];
  let row = 0;
  let column = 0;
  while (row < removed.length || column < added.length) {
    const isLeft = row < removed.length;
    const isRight = column < added.length;
    if (isLeft && isRight && removed[row] === added[column]) {
      lines.push(` ${removed[row++]}`);
      column++;
    } else if (isLeft && (!isRight || at(row + 1, column) >= at(row, column + 1))) lines.push(`-${removed[row++]}`);
    else lines.push(`+${added[column++]}`);
  }
  return lines;
}
