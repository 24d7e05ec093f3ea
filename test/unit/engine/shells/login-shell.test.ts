// Tests of which shell an image wants.
import { describe, expect, it } from 'vitest';
import { shellOfRoot } from '../../../../src/engine/shells/login-shell.ts';

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
