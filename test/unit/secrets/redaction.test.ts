// Redaction: no form of a secret passes, however the stream is cut, and no other byte changes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { secretForms } from '../../../src/secrets/forms.ts';
import { SecretSet } from '../../../src/secrets/secret-set.ts';

const value = 'p@ss "w\u00f6rd"/+&?=';

function setOf(...values: string[]): SecretSet {
  return new SecretSet(
    values.map((each, index) => ({ name: `S${index}`, source: 'literal', value: Buffer.from(each) })),
  );
}

function through(set: SecretSet, bytes: Buffer, cuts: readonly number[]): Buffer {
  const redactor = set.redactor();
  const places = [0, ...[...cuts].sort((a, b) => a - b).filter((cut) => cut < bytes.length), bytes.length];
  const pieces = places.slice(1).map((end, index) => redactor.push(bytes.subarray(places[index], end)));
  return Buffer.concat([...pieces, redactor.end()]);
}

describe('redaction', () => {
  it.each([
    ['plain', value],
    ['JSON', JSON.stringify({ token: value })],
    ['JSON in ASCII', '"p@ss \\"w\\u00f6rd\\"/+&?="'],
    ['URL', `https://x/?t=${encodeURIComponent(value)}`],
    ['form', new URLSearchParams({ t: value }).toString()],
    ['base64', Buffer.from(value).toString('base64')],
    ['base64 of a longer text, one byte in', Buffer.from(`:${value}`).toString('base64')],
    ['base64 of a longer text, two bytes in', Buffer.from(`u:${value}@host`).toString('base64')],
    ['base64url', Buffer.from(`user:${value}`).toString('base64url')],
    ['hexadecimal', Buffer.from(value).toString('hex')],
  ])('finds the secret as %s', (_name, text) => {
    const masked = setOf(value).mask(Buffer.from(text)).toString();
    expect(masked).not.toBe(text);
    expect(masked).toContain('******');
    expect(Buffer.byteLength(masked)).toBe(Buffer.byteLength(text));
  });

  it.each([
    ['base64', 76, '\n'],
    ['openssl base64', 64, '\n'],
    ['base64 at a terminal', 76, '\r\n'],
  ])('finds a long secret in the lines of %s', (_name, width, end) => {
    const long = 'a-token-that-is-longer-than-a-line/'.repeat(5);
    const lines =
      Buffer.from(long)
        .toString('base64')
        .match(new RegExp(`.{1,${width}}`, 'g')) ?? [];
    const masked = setOf(long)
      .mask(Buffer.from(lines.join(end)))
      .toString();
    expect(lines.length).toBeGreaterThan(2);
    expect(masked).toMatch(/^[*\r\n]+=*$/);
    expect(masked.split('\n')).toHaveLength(lines.length);
  });

  /** Ways to write bytes that programs of a guest have at hand. */
  const writers: readonly (readonly [string, (bytes: Buffer) => string])[] = [
    ['base64', (bytes) => bytes.toString('base64')],
    ['base64url', (bytes) => bytes.toString('base64url')],
    ['base64url with its end', (bytes) => bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_')],
    ['hexadecimal', (bytes) => bytes.toString('hex')],
    ['hexadecimal in pairs', (bytes) => (bytes.toString('hex').match(/../g) ?? []).join(' ')],
  ];

  it.each(writers)(
    'leaves no more than three signs of a secret in %s: wherever it stands, however lines are broken and pieces are cut',
    (_name, write) => {
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: 40 }),
          fc.uint8Array({ maxLength: 40 }),
          fc.integer({ min: 8, max: 80 }),
          fc.constantFrom('\n', '\r\n', '\n    '),
          fc.array(fc.nat(400), { maxLength: 12 }),
          (before, behind, width, end, cuts) => {
            const set = setOf(value);
            const written = write(Buffer.concat([before, Buffer.from(value), behind]));
            const text = (written.match(new RegExp(`.{1,${width}}`, 'g')) ?? []).join(end);
            const shown = through(set, Buffer.from(text), cuts).toString().replaceAll(/\s/g, '');
            // All signs that depend on the value alone, and the last one, which depends on it in part.
            const size = Buffer.byteLength(value);
            const inSigns = _name.startsWith('hexa') ? (at: number) => 2 * at : (at: number) => (4 * at) / 3;
            const from = Math.ceil(inSigns(before.length));
            const to = Math.ceil(inSigns(before.length + size));
            // Up to three signs at the end of a line are passed on, since ordinary lines end so: what follows is masked.
            expect(shown.slice(from, to)).toMatch(/^.{0,3}\*{9,}$/);
            expect(shown.slice(0, Math.floor(inSigns(before.length)))).toBe(
              written.replaceAll(' ', '').slice(0, Math.floor(inSigns(before.length))),
            );
          },
        ),
      );
    },
  );

  it('passes on at once the end of a line that is like the first signs of a secret', () => {
    const redactor = setOf(value).redactor();
    const first = Buffer.from(value).toString('base64').slice(0, 3);
    expect(redactor.push(Buffer.from(`done ${first}\n`)).toString()).toBe(`done ${first}\n`);
    expect(redactor.push(Buffer.from(Buffer.from(value).toString('base64').slice(3))).toString()).toMatch(/^\*{20,}/);
  });

  it('waits for no end of a secret that spaces follow without end', () => {
    const redactor = setOf(value).redactor();
    redactor.push(Buffer.from(Buffer.from(value).toString('base64').slice(0, 8)));
    let shown = 0;
    for (let turn = 0; turn < 20; turn++) shown += redactor.push(Buffer.alloc(10_000, ' ')).length;
    expect(shown).toBeGreaterThan(100_000);
  });

  it('holds wherever the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.constantFrom(...secretForms(Buffer.from(value)).map(({ bytes }) => bytes.toString())),
            fc.string(),
          ),
          {
            maxLength: 8,
          },
        ),
        fc.array(fc.nat(400), { maxLength: 12 }),
        (parts, cuts) => {
          const set = setOf(value);
          const bytes = Buffer.from(parts.join(''));
          const shown = through(set, bytes, cuts);
          expect(set.isIn(shown)).toBe(false);
          expect(shown.length).toBe(bytes.length);
          expect(shown.equals(set.mask(bytes))).toBe(true);
        },
      ),
    );
  });

  it('passes everything else on at once', () => {
    const redactor = setOf(value).redactor();
    expect(redactor.push(Buffer.from('ordinary output\n$ ')).toString()).toBe('ordinary output\n$ ');
  });

  it('keeps values out of JSON', () => {
    expect(JSON.stringify(setOf(value))).toBe('[{"name":"S0","source_kind":"literal"}]');
  });

  it.each([
    ['', 'A'],
    ['12345', 'A'],
    ['long enough', '1A'],
    ['with\0zero', 'A'],
  ])('refuses %j as the value of %s', (text, name) => {
    expect(() => new SecretSet([{ name, source: 'literal', value: Buffer.from(text) }])).toThrow();
  });

  it.each([
    ['NONE=VARIABLE', 'it has: S0'],
    ['VARIABLE=S0', 'the secret comes first, then the variable'],
  ])('says what is wrong about %s', (word, hint) => {
    expect(() => setOf(value).environment([word])).toThrow(expect.objectContaining({ code: 'secret_unknown', hint }));
  });
});
