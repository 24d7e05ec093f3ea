// The one error class: a code from the closed table, what failed and why, and the next step.
import { type ErrorCodeName, errorCodes } from './error-codes.ts';
import { errorHints } from './error-hints.ts';
import { type CallWords, hintCall, withCalls } from './hint-words.ts';
import { namedSystemError, systemErrorName } from './system-error-names.ts';

export type ErrorDetails = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

export interface PyroErrorOptions {
  /** Next step for the reader; calls stand in it as `hintCall` writes them. The code's own unless given */
  readonly hint?: string | undefined;
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
}

/** Failure that a user can act on. Recognise it with {@link isPyroError}, by its code, never by its text. */
export class PyroError extends Error {
  readonly code: ErrorCodeName;
  readonly hint: string | undefined;
  readonly details: ErrorDetails;

  constructor(code: ErrorCodeName, message: string, options: PyroErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'PyroError';
    this.code = code;
    this.hint = options.hint ?? errorHints[code] ?? undefined;
    this.details = options.details ?? {};
  }

  get retryable(): boolean {
    return errorCodes[this.code].retryable;
  }
}

/** True for a {@link PyroError}, with one of the given codes if there are any. */
export function isPyroError(value: unknown, ...codes: readonly ErrorCodeName[]): value is PyroError {
  if (!(value instanceof Error) || value.name !== 'PyroError' || !('code' in value)) return false;
  return codes.length === 0 || codes.some((code) => code === value.code);
}

/** Shape of an error under `--json` and over MCP. */
export interface ErrorReport {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  readonly details: ErrorDetails;
  readonly retryable: boolean;
}

/** Any thrown value as a {@link PyroError}; what is none is a fault of ours and says so. */
export function asPyroError(error: unknown): PyroError {
  const known = isPyroError(error) ? error : fromSystemError(error);
  if (known !== undefined) return known;
  return new PyroError('internal', `internal error: ${messageOf(error)}`, {
    hint: 'this is a bug in pyro; run the command again with PYRO_DEBUG=1 to see where it happened',
    cause: error,
  });
}

/** An argument that a message quotes may be long, `characters` */
const longestMessage = 10_000;

/** Report of any thrown value. Calls in its hint are as written unless a front gives its words for them. */
export function reportError(error: unknown, words?: CallWords): ErrorReport {
  const { code, message, hint = null, details, retryable } = asPyroError(error);
  return {
    code,
    message:
      message.length <= longestMessage
        ? message
        : `${message.slice(0, longestMessage)}… (${message.length} characters)`,
    hint: hint === null || words === undefined ? hint : withCalls(hint, words),
    details,
    retryable,
  };
}

/** The error that another process reported; a code that this version does not know is a fault like any other. */
export function errorFromReport({ code, message, hint, details }: ErrorReport, cause?: unknown): PyroError {
  const known = Object.keys(errorCodes).find((each): each is keyof typeof errorCodes => each === code);
  return new PyroError(known ?? 'internal', message, { hint: hint ?? undefined, details, cause });
}

/** The error with its hint in the words of a front. */
export function inWords(error: PyroError, words: CallWords): PyroError {
  const { code, message, hint, details, cause } = error;
  const told = hint === undefined ? undefined : withCalls(hint, words);
  return told === hint ? error : new PyroError(code, message, { hint: told, details, cause });
}

/** Text of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? namedSystemError(error.message) : String(error);
}

/** System error code such as `ENOENT`, when the value carries one. */
export function systemCodeOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return systemErrorName(error.code);
  return undefined;
}

/** Host conditions that a user can fix, met in the middle of any work. */
function fromSystemError(error: unknown): PyroError | undefined {
  const path = placeOf(error);
  return fullOrForbidden(error, path ?? 'the file system') ?? unusablePath(error, path);
}

/** The file, or the socket that was connected to. */
function placeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const place = 'path' in error ? error.path : 'address' in error ? error.address : undefined;
  return typeof place === 'string' ? shortened(wantedPath(place)) : undefined;
}

function fullOrForbidden(error: unknown, path: string): PyroError | undefined {
  switch (systemCodeOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new PyroError('disk_full', `${fullWords(error)} while writing ${path}`, {
        hint: `free some space, for example with: ${hintCall('env.prune')}`,
        cause: error,
      });
    case 'EIO':
    case 'EUCLEAN':
    case 'EBADMSG':
    case 'ESTALE':
      return new PyroError('disk_failed', `the disk reports an error at ${path}`, { cause: error });
    case 'EFBIG':
      return new PyroError('file_size_limited', `a file may not grow larger: ${path}`, { cause: error });
    case 'EMFILE':
    case 'ENFILE':
      return new PyroError('files_exhausted', `too many files are open to go on with ${path}`, { cause: error });
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return new PyroError('path_not_writable', `no permission: ${path}`, {
        hint: 'set PYRO_HOME=/some/folder to move everything that pyro writes',
        cause: error,
      });
    case 'ABORT_ERR':
      return new PyroError('cancelled', 'cancelled', { cause: error });
    default:
      return undefined;
  }
}

/** What cannot be a path, or cannot be used since something of another kind stands there. */
function unusablePath(error: unknown, path: string | undefined): PyroError | undefined {
  const code = systemCodeOf(error);
  if (code === 'ERR_INVALID_ARG_VALUE' && messageOf(error).includes('null bytes'))
    return new PyroError('usage', 'a path contains a zero byte', { hint: 'give a path without it', cause: error });
  if (path === undefined || code === undefined) return undefined;
  if (code === 'ENAMETOOLONG') {
    const hint = 'a path has at most 4095 bytes, and each name in it at most 255';
    return new PyroError('usage', `the path is too long: ${path}`, { hint, cause: error });
  }
  const why = code === 'ENOENT' && isOfFolder(error) ? 'no folder can be made at' : unusable.get(code);
  return why === undefined ? undefined : new PyroError('path_unusable', `${why}: ${path}`, { cause: error });
}

/** A folder whose parents are made first is missing one only where a link leads nowhere. */
function isOfFolder(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'mkdir';
}

const unusable: ReadonlyMap<string, string> = new Map([
  ['ENOTDIR', 'a folder is needed where something else stands'],
  ['EISDIR', 'a file is needed where a folder stands'],
  ['ERR_FS_EISDIR', 'a file is needed where a folder stands'],
  ['EEXIST', 'something stands already where a new file or folder is needed'],
  ['ENOTEMPTY', 'the folder is not empty'],
  ['ELOOP', 'symbolic links lead in a circle or to too many others'],
  ['ENXIO', 'a socket or a pipe that nobody serves stands where a file is needed'],
  ['EADDRINUSE', 'something stands already where a socket is needed'],
]);

const longestShownPath = 300;

function shortened(path: string): string {
  return path.length <= longestShownPath
    ? path
    : `${path.slice(0, longestShownPath)}… (${Buffer.byteLength(path)} bytes)`;
}

/** The name that a file was to have: what is written stands under a temporary one first. */
function wantedPath(path: string): string {
  return path.replace(/\.partial-[0-9a-f]{12}(?=\/|$)/, '');
}

const hostFaults = ['ENOSPC', 'EDQUOT', 'EIO', 'EUCLEAN', 'EBADMSG', 'ESTALE', 'EROFS', 'EFBIG', 'EMFILE', 'ENFILE'];

/**
 * True where this machine's disk, or its limit of open files, is the reason, also behind other words: it says nothing of
 * what was to be written, and of no guest.
 */
export function isHostFault(error: unknown): boolean {
  if (hostFaults.includes(systemCodeOf(error) ?? '')) return true;
  return error instanceof Error && error.cause !== undefined && isHostFault(error.cause);
}

/** True for a write that failed since the disk, or the user's share of it, is full. */
export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(systemCodeOf(error) ?? '');
}

/** How it is told that there is no room: a quota may be used up on a disk that has plenty. */
export function fullWords(error: unknown): string {
  return systemCodeOf(error) === 'EDQUOT' ? 'the disk quota is used up: no room left' : 'no room left';
}
