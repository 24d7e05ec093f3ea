// The byte sequences under which a secret shows up: itself, and what the usual encodings make of it.

/** Shortest value that can be told from ordinary output, `bytes` */
export const shortestSecret = 6;
export const longestSecret = 65_536;

/** One way to write a secret. */
export interface Form {
  readonly bytes: Buffer;
  /** True where line breaks and spaces may stand anywhere in it, as encoders break what they write */
  readonly isLoose: boolean;
  /** What may stand behind it that tells of its last byte, too; empty where all of it is in the form */
  readonly tail: Uint8Array;
}

/** Every form to look for, longest first, without doubles. */
export function secretForms(value: Buffer): Form[] {
  const text = value.toString('utf8');
  const isText = Buffer.from(text).equals(value);
  const texts = isText ? [JSON.stringify(text).slice(1, -1), asciiJson(text), ...urlForms(text)] : [];
  const hex = value.toString('hex');
  const forms = [
    plainForm(value, false),
    ...texts.map((each) => plainForm(Buffer.from(each), false)),
    ...base64Forms(value),
    ...[hex, hex.toUpperCase()].map((each) => plainForm(Buffer.from(each), true)),
  ];
  const unique = new Map<string, Form>();
  for (const form of forms.filter(({ bytes }) => bytes.length >= shortestSecret)) {
    const key = form.bytes.toString('latin1');
    if (!unique.has(key)) unique.set(key, form);
  }
  return [...unique.values()].sort(byLength);
}

/** Longest first. */
export function byLength(one: Form, other: Form): number {
  return other.bytes.length - one.bytes.length;
}

function plainForm(bytes: Buffer, isLoose: boolean): Form {
  return { bytes, isLoose, tail: noTail };
}

const noTail = new Uint8Array();

function urlForms(text: string): string[] {
  const encoded = encodeURIComponent(text);
  // encodeURIComponent leaves some signs that stricter encoders do not.
  const strict = encoded.replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  const forms = [encoded, strict, strict.replaceAll('%20', '+')];
  return [...forms, ...forms.map((form) => form.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()))];
}

/** JSON as encoders write it that keep to ASCII. */
function asciiJson(text: string): string {
  return JSON.stringify(text)
    .slice(1, -1)
    .replace(/[\u007f-\uffff]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const alphabets = ['+/', '-_'].map((last) => `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789${last}`);

/** Within a longer text the value begins at one of three places in a group; only what does not depend on neighbours counts. */
function base64Forms(value: Buffer): Form[] {
  return [0, 1, 2].flatMap((lead) => {
    const whole = Buffer.concat([Buffer.alloc(lead), value]);
    const text = whole.toString('base64').replaceAll('=', '');
    const from = [0, 2, 3][lead] ?? 0;
    const to = whole.length % 3 === 0 ? text.length : text.length - 1;
    const stable = text.slice(from, to);
    const urlSafe = stable.replaceAll('+', '-').replaceAll('/', '_');
    return [stable, urlSafe].map((each, index) => ({
      bytes: Buffer.from(each),
      isLoose: true,
      tail: tailOf(whole, alphabets[index] ?? ''),
    }));
  });
}

/** The signs that can follow: the last byte gives their first bits, whatever comes behind it the others. */
function tailOf(whole: Buffer, alphabet: string): Uint8Array {
  const last = whole.at(-1) ?? 0;
  const bits = [0, 2, 4][whole.length % 3] ?? 0;
  if (bits === 0) return noTail;
  const free = 6 - bits;
  const first = (last & ((1 << bits) - 1)) << free;
  return Buffer.from(alphabet.slice(first, first + (1 << free)));
}
