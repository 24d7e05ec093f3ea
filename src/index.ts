// The public library: the client, workspaces as objects, and errors with their codes.
export type { CallOptions, LiveStreams } from './sdk/call-options.ts';
export type { ExecEvent, ExecExit, ExecOutput, ExecStreamInput } from './sdk/exec-stream.ts';
export type { InputOf, OperationName, OutputOf } from './sdk/method-types.ts';
export { Pyro, type PyroOptions, type Workspaces } from './sdk/pyro.ts';
export { OwnedWorkspace, Workspace } from './sdk/workspace.ts';
export { type ErrorCodeName, errorCodes } from './shared/error-codes.ts';
export { type ErrorDetails, type ErrorReport, isPyroError, PyroError } from './shared/errors.ts';
export type { OnProgress, Progress } from './shared/progress.ts';
