// The one door to environment variables: each that pyro reads is listed here.
import { resolve } from 'node:path';

export const environmentVariables = {
  PYRO_HOME: 'Folder that holds cache, state, configuration and sockets in place of the XDG folders',
  PYRO_GUEST_KIT: 'Folder of the guest kit in place of the one in the package',
  PYRO_QEMU: 'QEMU executable in place of qemu-system-x86_64',
  PYRO_ACCELERATOR: 'kvm or tcg: skips the probe and takes this accelerator',
  PYRO_KVM_DEVICE: 'Device of the kernel virtual machine in place of /dev/kvm',
  PYRO_DEBUG: '1 prints the stack of an internal error',
  PYRO_DAEMON_IDLE_SECONDS:
    'Seconds without a guest, a call or a connection after which the daemon ends; 600 unless given',
  CLAUDE_PROJECT_DIR: 'Project folder, set by the chat host; the source of workspaces when the host names no roots',
  CLAUDE_CONFIG_DIR: 'Folder of the configuration of Claude Code in place of the home folder',
  CODEX_HOME: 'Folder of the configuration of Codex in place of ~/.codex',
  DOCKER_CONFIG: 'Folder of the docker configuration with registry credentials',
  XDG_CACHE_HOME: 'Parent of the cache folder',
  XDG_STATE_HOME: 'Parent of the state folder',
  XDG_CONFIG_HOME: 'Parent of the configuration folder',
  XDG_RUNTIME_DIR: 'Parent of the runtime folder',
  HOME: 'Home folder',
  NO_COLOR: 'Anything: no colours, and no line that changes while something is done',
  PAGER: 'Program that shows a patch at a terminal; less unless given, cat for none',
  LESS: 'Options of less; FRX unless given',
  PATH: 'Where programs are looked up',
  TERM: 'Kind of the terminal, passed on to a terminal in the guest; dumb: as NO_COLOR',
  http_proxy: "Proxy of this machine, for guests that get its package managers' settings; also in upper case",
  https_proxy: 'As http_proxy, for https',
  no_proxy: 'Names that go past the proxy, as http_proxy',
  SSL_CERT_FILE: 'Certificates that guests trust when they get the settings of package managers',
  NODE_EXTRA_CA_CERTS: 'As SSL_CERT_FILE',
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
