// Inputs made from examples by small changes, the same each time for the same seed.

export type Random = (below: number) => number;

/** Numbers of a small generator (mulberry32): a seed names a whole run. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) % Math.max(1, below);
  };
}

/** Bytes at which parsers turn: ends, signs, digits, separators, marks of base-256 numbers. */
const telling = Buffer.from('\0\u0001\n /.:=@-09axgLKS7{}[]"\u007f\u0080\u00fe\u00ff', 'latin1');
const longestInput = 64 * 1024;

/** One example with one to eight changes. */
export function mutate(examples: readonly Buffer[], random: Random): Buffer {
  let bytes = pick(examples, random);
  for (let left = 1 + random(8); left > 0; left--) bytes = change(bytes, examples, random);
  return bytes.subarray(0, longestInput);
}

function change(bytes: Buffer, examples: readonly Buffer[], random: Random): Buffer {
  const at = random(bytes.length + 1);
  const length = 1 + random(random(4) === 0 ? 600 : 8);
  switch (random(7)) {
    case 0:
      return replaced(bytes, at, Buffer.from([(bytes[at] ?? 0) ^ (1 << random(8))]));
    case 1:
      return replaced(bytes, at, Buffer.from([telling[random(telling.length)] ?? 0]));
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
    case 4:
      return replaced(bytes, at, Buffer.alloc(length, telling[random(telling.length)] ?? 0));
    case 5:
      return bytes.subarray(0, at);
    default: {
      const other = pick(examples, random);
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random(other.length + 1))]);
    }
  }
}

function replaced(bytes: Buffer, at: number, by: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), by, bytes.subarray(at + by.length)]);
}

function pick(examples: readonly Buffer[], random: Random): Buffer {
  return examples[random(examples.length)] ?? Buffer.alloc(0);
}
