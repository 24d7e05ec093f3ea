// The public library: errors and their codes for now; the client comes with the daemon.
export { type ErrorCodeName, errorCodes } from './shared/error-codes.ts';
export { type ErrorReport, isPyroError, PyroError } from './shared/errors.ts';
