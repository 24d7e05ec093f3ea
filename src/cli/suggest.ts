// What someone may have meant who typed an option or a command that is not known.
import { meaningOf, namesNear } from '../operations/input-names.ts';

const mostSuggestions = 3;

/** Those of the names that go on as the word does, else those that it means by habit, else those of nearly its letters. */
export function nearest(word: string, names: readonly string[]): string[] {
  const given = bare(word);
  if (given === '') return [];
  const known = new Map(names.map((name) => [bare(name), name]));
  const bares = [...known.keys()];
  const longer = bares.filter((name) => name.startsWith(given));
  const meant = longer.length > 0 ? longer : meaningOf(given, bares).fields;
  const near = meant.length > 0 ? meant : namesNear(given, bares);
  return near.flatMap((name) => known.get(name) ?? []).slice(0, mostSuggestions);
}

/** `vcpu_count` of `--vcpu-count`. */
function bare(word: string): string {
  return word.replace(/^-+/, '').replaceAll('-', '_').toLowerCase();
}
