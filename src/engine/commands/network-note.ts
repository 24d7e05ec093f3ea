// The one line that says why a command without a network failed, if its output shows that it wanted one.

/** What programs and libraries say when there is no route, or nobody to ask for a name */
const signs =
  /network is unreachable|ENETUNREACH|EAI_AGAIN|could not resolve|temporary failure (?:in name resolution|resolving)|name or service not known|no address associated|failed to (?:resolve|lookup)|nodename nor servname|server misbehaving|connection refused.*:53\b|bad address|failed to connect to (?!localhost|127\.|\[?::1)\S+ port/i;

/** Undefined for a guest with a network, a command that succeeded, or output about something else. */
export function noteOnNetwork(
  isOn: boolean,
  exitCode: number | null,
  output: { readonly stdout: string; readonly stderr: string },
): string | null {
  if (isOn || exitCode === 0 || exitCode === null || !signs.test(`${output.stderr}\n${output.stdout}`)) return null;
  return 'this guest has no network (network_policy off): nothing outside it can be reached';
}
