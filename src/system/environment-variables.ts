// The one door to environment variables: each that pyro reads is listed here.
import { resolve } from 'node:path';

export const environmentVariables = {
  PYRO_HOME: 'Folder for cache, state, configuration and sockets instead of the XDG folders',
  PYRO_GUEST_KIT: 'Folder of the guest kit instead of the one in the package',
  PYRO_QEMU: 'QEMU executable instead of qemu-system-x86_64',
  PYRO_ACCELERATOR: 'kvm or tcg: skips the probe and uses this accelerator',
  PYRO_KVM_DEVICE: 'KVM device instead of /dev/kvm',
  PYRO_CONFINEMENT: 'off starts QEMU without namespaces, Landlock and a user of its own, in case they are in the way',
  PYRO_DEBUG: '1 prints the stack of an internal error',
  PYRO_DAEMON_IDLE_SECONDS: 'Seconds without a guest, a call or a connection after which the daemon ends; default 600',
  CLAUDE_PROJECT_DIR: 'Project folder, set by the chat host; the source of workspaces when the host names no roots',
  CLAUDE_CONFIG_DIR: 'Folder of the Claude Code configuration instead of the home folder',
  CODEX_HOME: 'Folder of the Codex configuration instead of ~/.codex',
  DOCKER_CONFIG: 'Folder of the docker configuration with registry credentials',
  XDG_CACHE_HOME: 'Parent of the cache folder',
  XDG_STATE_HOME: 'Parent of the state folder',
  XDG_CONFIG_HOME: 'Parent of the configuration folder',
  XDG_RUNTIME_DIR: 'Parent of the runtime folder',
  HOME: 'Home folder',
  NO_COLOR: 'Any value: no colours, and no progress line that redraws itself',
  PAGER: 'Pager for a patch on a terminal; default less, cat for none',
  LESS: 'Options of less; default FRX',
  PATH: 'Where programs are searched for',
  TERM: 'Terminal type, passed on to terminals in the guest; dumb acts like NO_COLOR',
  http_proxy: "Proxy of this machine, for guests that get its package managers' settings; also in upper case",
  https_proxy: 'Like http_proxy, for https',
  no_proxy: 'Names that bypass the proxy; also in upper case',
  SSL_CERT_FILE: 'Certificates that guests trust when they get the settings of package managers',
  NODE_EXTRA_CA_CERTS: 'Like SSL_CERT_FILE',
  CARGO_HOME: 'Folder of the cargo configuration',
} as const;

export type VariableName = keyof typeof environmentVariables;

/** Value of a variable in the spelling of the table, else in upper case: proxies are given in either. */
export function readVariableOfEitherCase(name: VariableName): string | undefined {
  return readVariable(name) ?? nonEmpty(process.env[name.toUpperCase()]);
}

/** Value of a variable; an empty one counts as absent. */
export function readVariable(name: VariableName): string | undefined {
  return nonEmpty(process.env[name]);
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

/** Environment for a child that runs in another folder: a relative PYRO_HOME keeps its meaning. */
export function childEnvironment(): Record<string, string> {
  const copy: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) copy[name] = value;
  const home = readVariable('PYRO_HOME');
  return home === undefined ? copy : { ...copy, PYRO_HOME: resolve(home) };
}
