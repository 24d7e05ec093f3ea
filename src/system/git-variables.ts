// Variables of Git by which a caller that is itself a git hook would have our own git work on the hook's repository.

/** Takes them away: part of the environment of a git that is to work where it is told to. */
export const noOtherRepository = {
  GIT_DIR: undefined,
  GIT_WORK_TREE: undefined,
  GIT_COMMON_DIR: undefined,
  GIT_INDEX_FILE: undefined,
  GIT_OBJECT_DIRECTORY: undefined,
  GIT_ALTERNATE_OBJECT_DIRECTORIES: undefined,
  GIT_NAMESPACE: undefined,
} as const;
