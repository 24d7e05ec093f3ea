// What changes in a file, as one hunk for a person; values that look like secrets are not shown.

const contextLines = 3;
const secretLine = /((?:token|secret|password|passwd|api[_-]?key|authorization|credential)[\w-]*["']?\s*[:=]\s*)\S.*/i;

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
    ...removed.map((line) => `-${line}`),
    ...added.map((line) => `+${line}`),
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
