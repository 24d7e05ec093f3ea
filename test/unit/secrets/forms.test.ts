// The forms of a secret, one by one, and what a redactor tells of itself.
import { describe, expect, it } from 'vitest';
import { type Form, secretForms } from '../../../src/secrets/forms.ts';
import { containsForm, maskForms, StreamRedactor } from '../../../src/secrets/redactor.ts';

const textsOf = (value: Buffer): string[] => secretForms(value).map(({ bytes }) => bytes.toString('latin1'));
const formOf = (text: string, more: Partial<Form> = {}): Form => ({
  bytes: Buffer.from(text),
  isLoose: false,
  tail: new Uint8Array(),
  ...more,
});

describe('the forms of a secret, longest first and each once, are', () => {
  it('itself, hexadecimal and base64 where it is no text', () => {
    const value = Buffer.from('fffefdfcfbfa', 'hex');
    expect(textsOf(value)).toEqual([
      'fffefdfcfbfa',
      'FFFEFDFCFBFA',
      '//79/Pv6',
      '__79_Pv6',
      '/+/fz7+',
      '_-_fz7-',
      '//v38+/',
      '__v38-_',
      value.toString('latin1'),
    ]);
  });

  it('also those of URLs and of JSON where it is text', () => {
    const value = Buffer.from("a'(b)* \u00e9~");
    expect(textsOf(value)).toEqual([
      'a%27%28b%29%2A%20%C3%A9~',
      'a%27%28b%29%2a%20%c3%a9~',
      'a%27%28b%29%2A+%C3%A9~',
      'a%27%28b%29%2a+%c3%a9~',
      '61272862292a20c3a97e',
      '61272862292A20C3A97E',
      "a'(b)*%20%C3%A9~",
      "a'(b)*%20%c3%a9~",
      "a'(b)* \\u00e9~",
      'YScoYikqIMOpf',
      'hJyhiKSogw6l+',
      'hJyhiKSogw6l-',
      'EnKGIpKiDDqX',
      value.toString('latin1'),
    ]);
  });

  it('as long as the shortest secret at least', () => {
    expect(textsOf(Buffer.from('abcdef'))).toEqual(['616263646566', 'YWJjZGVm', 'FiY2RlZ', 'hYmNkZW', 'abcdef']);
  });

  it('with what may follow where the last sign of base64 tells of the secret too', () => {
    const tails = secretForms(Buffer.from('abcdefg'))
      .filter(({ tail }) => tail.length > 0)
      .map(({ bytes, tail }) => `${bytes} ${Buffer.from(tail)}`);
    expect(tails).toEqual(['YWJjZGVmZ wxyz0123456789+/', 'FiY2RlZm cdef']);
  });
});

describe('masking', () => {
  it('leaves what it was given as it was, and gives the same where there is nothing to mask', () => {
    const bytes = Buffer.from('a secret here');
    expect(maskForms(bytes, [formOf('secret')]).toString()).toBe('a ****** here');
    expect(bytes.toString()).toBe('a secret here');
    expect(maskForms(bytes, [formOf('other')])).toBe(bytes);
  });

  it('finds one form of several', () => {
    const forms = [formOf('secret'), formOf('c2VjcmV0')];
    expect(containsForm(Buffer.from('=c2VjcmV0='), forms)).toBe(true);
    expect(containsForm(Buffer.from('=c2VjcmV='), forms)).toBe(false);
  });
});

describe('a redactor', () => {
  const redactor = (): StreamRedactor => new StreamRedactor([formOf('secret')]);

  it('says whether a secret went by, wherever it was cut', () => {
    const seen = redactor();
    seen.push(Buffer.from('nothing'));
    expect(seen.hasFound).toBe(false);
    seen.push(Buffer.from(' but sec'));
    expect(seen.hasFound).toBe(false);
    seen.push(Buffer.from('ret'));
    expect(seen.hasFound).toBe(true);
    seen.push(Buffer.from(' and more'));
    seen.end();
    expect(seen.hasFound).toBe(true);
  });

  it('says that none went by when a stream ends like the beginning of one', () => {
    const seen = redactor();
    expect(seen.push(Buffer.from('sec')).length).toBe(0);
    expect(seen.end().toString()).toBe('sec');
    expect(seen.hasFound).toBe(false);
    expect(seen.end().length).toBe(0);
  });

  it('masks at once what is whole', () => {
    expect(redactor().push(Buffer.from('a secret')).toString()).toBe('a ******');
  });

  it('holds back no more than could be the beginning of one', () => {
    expect(redactor().push(Buffer.from('secre secse')).toString()).toBe('secre sec');
  });
});
