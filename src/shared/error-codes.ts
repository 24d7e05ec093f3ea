// The closed table of error codes: what each means and whether the same call may succeed later.

export interface ErrorCode {
  /** Meaning, for the reference page */
  readonly meaning: string;
  readonly retryable: boolean;
}

export const errorCodes = {
  usage: { meaning: 'An argument is missing, unknown or out of range', retryable: false },
  cancelled: { meaning: 'The caller cancelled the work', retryable: true },
  deadline_exceeded: { meaning: 'A step did not finish within its deadline', retryable: true },
  host_unsupported: {
    meaning: 'The machine lacks something that pyro needs; pyro doctor names it',
    retryable: false,
  },
  tool_missing: { meaning: 'A program that pyro calls is not installed', retryable: false },
  tool_failed: { meaning: 'A program that pyro calls ended with a failure', retryable: false },
  disk_full: { meaning: 'The file system has no room left', retryable: true },
  path_not_writable: { meaning: 'A folder cannot be written', retryable: false },
  guest_kit_missing: { meaning: 'The kernel and the guest agent are not where they belong', retryable: false },
  guest_boot_failed: { meaning: 'A guest did not come up', retryable: true },
  guest_unreachable: { meaning: 'A guest that was up no longer answers', retryable: true },
  guest_protocol: { meaning: 'A guest sent something that the protocol does not allow', retryable: false },
  guest_refused: { meaning: 'The guest refused a request', retryable: false },
  command_not_found: { meaning: 'The command does not exist in the guest', retryable: false },
  command_not_executable: { meaning: 'The command in the guest cannot be executed', retryable: false },
  user_unknown: { meaning: 'The user does not exist in the guest', retryable: false },
  cwd_missing: { meaning: 'The working directory does not exist in the guest', retryable: false },
  not_a_terminal: { meaning: 'A terminal was asked for where there is none', retryable: false },
  qemu_failed: { meaning: 'QEMU refused a request or ended', retryable: true },
  template_invalid: { meaning: 'A saved template cannot be restored', retryable: true },
  environment_unknown: { meaning: 'No environment has this name', retryable: false },
  environment_not_installed: { meaning: 'The environment is not in the local cache', retryable: false },
  environment_damaged: { meaning: 'The cached environment is incomplete or was changed', retryable: false },
  environment_build_failed: { meaning: 'The environment could not be built from packages', retryable: true },
  reference_invalid: { meaning: 'An image reference does not parse', retryable: false },
  registry_unreachable: { meaning: 'The registry does not answer', retryable: true },
  registry_denied: { meaning: 'The registry refuses access', retryable: false },
  registry_error: { meaning: 'The registry answered with an error', retryable: true },
  image_not_found: { meaning: 'The registry has no such image', retryable: false },
  image_unsupported: { meaning: 'The image is of a kind that cannot run here', retryable: false },
  image_invalid: { meaning: 'The image breaks the rules of the OCI format', retryable: false },
  digest_mismatch: { meaning: 'Downloaded bytes do not have the promised digest', retryable: true },
  state_damaged: { meaning: 'A state file does not have the expected content', retryable: false },
  seed_missing: { meaning: 'The project to take in does not exist', retryable: false },
  seed_unsupported: { meaning: 'The project is of a kind that cannot be taken in', retryable: false },
  seed_invalid: { meaning: 'Something in the project cannot be read or must not go in', retryable: false },
  seed_changing: { meaning: 'The project changed each time while it was read', retryable: true },
  seed_too_large: { meaning: "The project is larger than a guest's project disk", retryable: false },
  locked: { meaning: 'Another process holds the lock', retryable: true },
  internal: { meaning: 'A fault in pyro itself', retryable: false },
} as const satisfies Record<string, ErrorCode>;

export type ErrorCodeName = keyof typeof errorCodes;
