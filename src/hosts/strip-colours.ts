// What a program said, without the sequences that colour it.
import { stripVTControlCharacters } from 'node:util';

export function stripColours(text: string): string {
  return stripVTControlCharacters(text).replaceAll('\r', '');
}
