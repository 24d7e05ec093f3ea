// Which of two versions is newer, by the rules of semantic versioning as far as pyro's own versions need them.

/** True when `first` is newer. A version that is no version (a checkout that runs its sources) is never newer or older. */
export function isNewer(first: string, second: string): boolean {
  const [left, right] = [parse(first), parse(second)];
  if (left === undefined || right === undefined) return false;
  for (const index of [0, 1, 2]) {
    const difference = (left.numbers[index] ?? 0) - (right.numbers[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  // A release is newer than what came before it.
  if (left.suffix === '' || right.suffix === '') return left.suffix === '' && right.suffix !== '';
  return left.suffix.localeCompare(right.suffix, 'en', { numeric: true }) > 0;
}

function parse(version: string): { numbers: number[]; suffix: string } | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?/.exec(version);
  if (match === null) return undefined;
  return { numbers: match.slice(1, 4).map(Number), suffix: match[4] ?? '' };
}
