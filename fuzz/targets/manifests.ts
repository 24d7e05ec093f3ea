// What a registry says of an image, and how a person names one.
import { ok as holds, deepStrictEqual as same } from 'node:assert';
import { entriesOf } from '../../src/environment/choose.ts';
import { parseConfig, parseManifest } from '../../src/environment/manifest.ts';
import { parseReference } from '../../src/environment/reference.ts';
import { manifests, references } from '../examples.ts';
import { type Target, tolerate } from '../target.ts';

export const manifest: Target = {
  examples: manifests,
  words: ['"mediaType":', '"digest":"sha256:', '"size":', '"layers":[', '"manifests":[', '"urls":[', '"annotations":{'],
  run: (input) => {
    tolerate(() => entriesOf(input));
    const read = tolerate(() => parseManifest(input, 'image'));
    if (read !== undefined) {
      for (const { digest, size } of [read.config, ...read.layers]) {
        holds(/^sha256:[0-9a-f]{64}$/.test(digest));
        holds(Number.isSafeInteger(size) && size >= 0);
      }
    }
    tolerate(() => parseConfig(input, { config: { digest: '', size: 0 }, layers: [] }, 'image'));
  },
};

export const reference: Target = {
  examples: references,
  words: ['docker.io/', 'library/', ':latest', '@sha256:', 'localhost:5000/', '[::1]:'],
  run: (input) => {
    const read = parseReference(input.toString('utf8'));
    same(parseReference(read.canonical), read);
    holds(!/[^\x21-\x7e]/.test(read.canonical));
  },
};
