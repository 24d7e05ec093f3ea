// Tests of which shell an image wants.
import { describe, expect, it } from 'vitest';
import { shellOfRoot } from '../../../src/engine/login-shell.ts';
import { parsePort } from '../../../src/engine/publish.ts';

describe('the shell of root', () => {
  it.each([
    ['its own', 'daemon:x:1:1::/:/bin/false\nroot:x:0:0:root:/root:/bin/zsh\n', '/bin/zsh'],
    ['that of another name with id 0', 'toor:x:0:0::/root:/bin/ash', '/bin/ash'],
    ['none where nobody may log in', 'root:x:0:0:root:/root:/usr/sbin/nologin', undefined],
    ['none in a broken file', 'root:x:0\n\n::', undefined],
    ['none that is no path', 'root:x:0:0:root:/root:zsh', undefined],
  ])('is %s', (_name, passwd, expected) => {
    expect(shellOfRoot(passwd)).toBe(expected);
  });
});

describe('a published port', () => {
  it('is one of the guest, and one of the host where it is named', () => {
    expect(parsePort('80')).toEqual({ hostPort: undefined, guestPort: 80 });
    expect(parsePort('8080:80')).toEqual({ hostPort: 8080, guestPort: 80 });
  });

  it.each(['', '0', '70000', '80:80', '8080:', ':80', '1:2:3', 'web', '70000:80'])('is never %j', (text) => {
    expect(() => parsePort(text)).toThrow(/published_ports/);
  });
});
