// Inputs made from others by small changes, the same each time for the same seed.

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
const telling = Buffer.from('\0\u0001\n\r /.:=@-+09axgLKS7{}[]"\\\u001b\u007f\u0080\u00fe\u00ff', 'latin1');
const extremes = ['0', '-1', '1', '255', '65536', '2147483648', '4294967295', '9007199254740993', '1e309', '0x10', '٣'];
const extremeWords = [0, 1, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];
const hostile = [
  '../',
  '/',
  '\u001b]0;x\u0007',
  '\u202e',
  '\ud800',
  '\u00e9',
  '__proto__',
  'constructor',
  '\0',
  '\r\n',
];
/** How often a part may be repeated at once, `bytes` of the result */
const longestRepeat = 16 * 1024;

export interface Sources {
  /** Where a change begins */
  readonly base: Buffer;
  /** From where parts are taken */
  readonly other: Buffer;
  readonly words: readonly string[];
  readonly longest: number;
}

/** The base with one to eight changes. */
export function mutate(sources: Sources, random: Random): Buffer {
  let bytes = sources.base;
  for (let left = 1 + random(random(2) === 0 ? 3 : 8); left > 0; left--) bytes = change(bytes, sources, random);
  return bytes.subarray(0, sources.longest);
}

function change(bytes: Buffer, { other, words }: Sources, random: Random): Buffer {
  const at = random(bytes.length + 1);
  const length = 1 + random(random(4) === 0 ? 600 : 8);
  switch (random(14)) {
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
    case 6:
      return withNumber(bytes, random);
    case 7:
      return withField(bytes, at, random);
    case 8:
      return repeated(bytes, at, length, random);
    case 9:
      return withLine(bytes, random);
    case 10:
    case 11: {
      const all = random(4) === 0 || words.length === 0 ? hostile : words;
      const word = Buffer.from(all[random(all.length)] ?? '');
      return random(2) === 0
        ? Buffer.concat([bytes.subarray(0, at), word, bytes.subarray(at)])
        : replaced(bytes, at, word);
    }
    case 12: {
      const from = random(other.length + 1);
      const part = other.subarray(from, from + 1 + random(other.length - from));
      return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at + (random(2) === 0 ? part.length : 0))]);
    }
    default:
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random(other.length + 1))]);
  }
}

function replaced(bytes: Buffer, at: number, by: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), by, bytes.subarray(at + by.length)]);
}

/** One number that is written in digits becomes another. */
function withNumber(bytes: Buffer, random: Random): Buffer {
  const found = [...bytes.toString('latin1').matchAll(/\d+/g)];
  const number = found[random(found.length)];
  if (number === undefined) return bytes;
  const by = Buffer.from(extremes[random(extremes.length)] ?? '');
  return Buffer.concat([bytes.subarray(0, number.index), by, bytes.subarray(number.index + number[0].length)]);
}

/** A field of two or four bytes becomes an extreme, or nearly what is left of the input. */
function withField(bytes: Buffer, at: number, random: Random): Buffer {
  const size = random(2) === 0 ? 2 : 4;
  if (at + size > bytes.length) return bytes;
  const left = bytes.length - at - size;
  const value = random(3) === 0 ? Math.max(0, left + random(3) - 1) : (extremeWords[random(extremeWords.length)] ?? 0);
  const field = Buffer.alloc(4);
  if (random(2) === 0) field.writeUInt32BE(size === 2 ? (value & 0xffff) * 0x10000 : value);
  else field.writeUInt32LE(value);
  return replaced(bytes, at, field.subarray(0, size));
}

/** A part many times over, up to a length at which what grows too quickly shows. */
function repeated(bytes: Buffer, at: number, length: number, random: Random): Buffer {
  const part = bytes.subarray(at, at + length);
  const times = random(8) === 0 ? Math.floor(longestRepeat / Math.max(1, part.length)) : 1 + random(40);
  return Buffer.concat([bytes.subarray(0, at), ...Array.from({ length: times }, () => part), bytes.subarray(at)]);
}

/** A line goes, comes twice, or changes its place. */
function withLine(bytes: Buffer, random: Random): Buffer {
  const lines = bytes.toString('latin1').split('\n');
  const [line = ''] = lines.splice(random(lines.length), 1);
  for (let times = random(3); times > 0; times--) lines.splice(random(lines.length + 1), 0, line);
  return Buffer.from(lines.join('\n'), 'latin1');
}
