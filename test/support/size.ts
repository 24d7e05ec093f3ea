// How large the tests of size are: the smaller half belongs to `make check`, the whole to `make test-size`.

/** True under `make test-size` */
export const isFullSize = process.env['PYRO_SIZE'] === 'full';

const mebibyte = 1024 * 1024;

/** The largest output that is tried, `bytes` */
export const largestOutput = isFullSize ? 1024 * mebibyte : 96 * mebibyte;
