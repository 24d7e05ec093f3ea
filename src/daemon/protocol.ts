// The ways of fronts to the daemon: where each request goes, who understands whom, and the errors that come back.
import type { CallContext } from '../shared/call-context.ts';
import type { HostPathPolicy, NetworkCeiling, ProjectSource } from '../shared/policy-types.ts';

/** Raised when an older front could no longer be understood. It stands in the path of a call. */
export const protocolNumber = 1;
/** Longest request, `bytes`: the longest patch, with what JSON adds to it */
export const longestBody = 48 * 1024 * 1024;
export const versionHeader = 'pyro-version';
/** Asking for the status and for the end works between all versions: a newer pyro must be able to end an older one. */
export const statusPath = '/v1/status';
export const stopPath = '/v1/stop';
export const callPath = `/v${protocolNumber}/call`;
/** A call with streams: the connection is upgraded */
export const livePath = `/v${protocolNumber}/live`;
/** Ends a call that someone means to end: one whose connection closes may go on */
export const cancelPath = `/v${protocolNumber}/cancel`;
/** Name of a call, for its cancel */
export const callHeader = 'pyro-call';

/** What an operation gets of its caller, on both sides. */
export interface CallerContext extends CallContext {
  readonly hostPaths: HostPathPolicy;
  readonly project: ProjectSource | undefined;
  readonly network: NetworkCeiling | undefined;
}
