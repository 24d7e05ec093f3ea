// Image references as Docker reads them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseReference, registryOrigin } from '../../../src/environment/reference.ts';

describe('parseReference', () => {
  it.each([
    ['alpine', 'docker.io/library/alpine:latest'],
    ['node:24', 'docker.io/library/node:24'],
    ['someone/tool', 'docker.io/someone/tool:latest'],
    ['docker.io/library/node:24', 'docker.io/library/node:24'],
    ['localhost:5000/x', 'localhost:5000/x:latest'],
    ['localhost/x:1', 'localhost/x:1'],
    [`ghcr.io/a/b@sha256:${'a'.repeat(64)}`, `ghcr.io/a/b@sha256:${'a'.repeat(64)}`],
  ])('%s is %s', (text, canonical) => {
    expect(parseReference(text).canonical).toBe(canonical);
  });

  it.each(['', 'UPPER', 'a b', '../x', 'x:', 'x@sha256:12', 'http://host/x', 'a//b', '-x', 'host:99999999/x'])(
    'refuses %j',
    (text) => {
      expect(() => parseReference(text)).toThrowError(expect.objectContaining({ code: 'reference_invalid' }));
    },
  );

  it('reads its own canonical form as the same image, and throws nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab0.-_/:@'), maxLength: 30 }), (text) => {
        try {
          const { canonical } = parseReference(text);
          expect(parseReference(canonical).canonical).toBe(canonical);
        } catch (error) {
          expect(error).toMatchObject({ code: 'reference_invalid' });
        }
      }),
    );
  });

  it('speaks plain HTTP to loopback only', () => {
    expect(registryOrigin('localhost:5000')).toBe('http://localhost:5000');
    expect(registryOrigin('127.0.0.1:1')).toBe('http://127.0.0.1:1');
    expect(registryOrigin('localhost.example.com')).toBe('https://localhost.example.com');
  });
});
