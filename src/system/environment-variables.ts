// The one door to environment variables: each that pyro reads is listed here.

export const environmentVariables = {
  PYRO_HOME: 'Folder that holds cache, state, configuration and sockets in place of the XDG folders',
  PYRO_GUEST_KIT: 'Folder of the guest kit in place of the one in the package',
  PYRO_QEMU: 'QEMU executable in place of qemu-system-x86_64',
  PYRO_ACCELERATOR: 'kvm or tcg: skips the probe and takes this accelerator',
  PYRO_KVM_DEVICE: 'Device of the kernel virtual machine in place of /dev/kvm',
  PYRO_DEBUG: '1 prints the stack of an internal error',
  DOCKER_CONFIG: 'Folder of the docker configuration with registry credentials',
  XDG_CACHE_HOME: 'Parent of the cache folder',
  XDG_STATE_HOME: 'Parent of the state folder',
  XDG_CONFIG_HOME: 'Parent of the configuration folder',
  XDG_RUNTIME_DIR: 'Parent of the runtime folder',
  HOME: 'Home folder',
  PATH: 'Where programs are looked up',
  TERM: 'Kind of the terminal, passed on to a terminal in the guest',
} as const;

export type VariableName = keyof typeof environmentVariables;

/** Value of a variable; an empty one counts as absent. */
export function readVariable(name: VariableName): string | undefined {
  const value = process.env[name];
  return value === undefined || value === '' ? undefined : value;
}
