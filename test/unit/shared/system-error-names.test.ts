import { describe, expect, it } from 'vitest';
import { isDiskFull, isHostFault, messageOf, reportError, systemCodeOf } from '../../../src/shared/errors.ts';
import { outputError } from '../../../src/shared/write-to.ts';

/** As Node makes it of an error that it has no name for. */
function unnamed(errno: number): Error {
  const name = `Unknown system error -${errno}`;
  return Object.assign(new Error(`${name}: ${name}, mkdir '/there/x'`), {
    code: name,
    errno: -errno,
    syscall: 'mkdir',
    path: '/there/x',
  });
}

describe('an error of the system that Node has no name for', () => {
  it('is known by its number: a quota that is used up is a full disk', () => {
    const error = unnamed(122);
    expect(systemCodeOf(error)).toBe('EDQUOT');
    expect(isDiskFull(error)).toBe(true);
    expect(isHostFault(new Error('behind other words', { cause: error }))).toBe(true);
    expect(reportError(error)).toMatchObject({
      code: 'disk_full',
      message: 'the disk quota is used up: no room left while writing /there/x',
    });
    expect(messageOf(error)).toBe("EDQUOT: disk quota exceeded, mkdir '/there/x'");
    expect(outputError(error).message).toContain('the disk quota is used up: no room left on the device');
  });

  it.each([
    [74, 'EBADMSG'],
    [116, 'ESTALE'],
    [117, 'EUCLEAN'],
  ])('%i is a disk that fails', (errno, name) => {
    expect(systemCodeOf(unnamed(errno))).toBe(name);
    expect(reportError(unnamed(errno)).code).toBe('disk_failed');
    expect(isHostFault(unnamed(errno))).toBe(true);
  });

  it('stays as it is when we have none either', () => {
    expect(systemCodeOf(unnamed(999))).toBe('Unknown system error -999');
    expect(messageOf(unnamed(999))).toBe(unnamed(999).message);
    expect(messageOf(new Error('Unknown system error -122'))).toBe('EDQUOT: disk quota exceeded');
  });
});
