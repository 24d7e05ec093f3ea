// What `git status --porcelain=v2 -z --branch` says, parsed. Paths are latin1.

export interface GitStatus {
  readonly commit: string | undefined;
  readonly branch: string | undefined;
  /** `+ahead -behind` against the upstream, as git prints it */
  readonly aheadBehind: string | undefined;
  /** Paths whose file is not what the index says, or in conflict */
  readonly modified: ReadonlySet<string>;
  /** Blobs of the index that HEAD may not have */
  readonly stagedBlobs: ReadonlySet<string>;
  /** Untracked paths; a nested repository ends with a slash */
  readonly untracked: readonly string[];
  readonly ignoredCount: number;
  readonly isDirty: boolean;
}

/** Arguments whose output {@link parseStatus} reads; submodules are looked at one by one, not by git's own recursion. */
export const statusArguments = [
  'status',
  '--porcelain=v2',
  '-z',
  '--branch',
  '--no-renames',
  '--untracked-files=all',
  '--ignored=matching',
  '--ignore-submodules=dirty',
];

export function parseStatus(output: Buffer): GitStatus {
  const headers = new Map<string, string>();
  const modified = new Set<string>();
  const stagedBlobs = new Set<string>();
  const untracked: string[] = [];
  let ignoredCount = 0;
  let changes = 0;
  for (const record of output.toString('latin1').split('\0')) {
    const kind = record.slice(0, 2);
    if (kind === '# ') {
      const [, name = '', value = ''] = /^# (\S+) (.*)$/s.exec(record) ?? [];
      headers.set(name, value);
    } else if (kind === '! ') {
      ignoredCount++;
    } else if (kind === '? ') {
      untracked.push(record.slice(2));
    } else if (kind === '1 ') {
      const [, states = '', , , indexMode = '', , , indexOid = '', ...path] = record.split(' ');
      changes++;
      if (states[1] !== '.') modified.add(path.join(' '));
      if (states[0] !== '.') addBlob(indexMode, indexOid);
    } else if (kind === 'u ') {
      const [, , , mode1 = '', mode2 = '', mode3 = '', , oid1 = '', oid2 = '', oid3 = '', ...path] = record.split(' ');
      changes++;
      modified.add(path.join(' '));
      addBlob(mode1, oid1);
      addBlob(mode2, oid2);
      addBlob(mode3, oid3);
    }
  }
  const commit = headers.get('branch.oid');
  const branch = headers.get('branch.head');
  return {
    commit: commit === '(initial)' ? undefined : commit,
    branch: branch === '(detached)' ? undefined : branch,
    aheadBehind: headers.get('branch.ab'),
    modified,
    stagedBlobs,
    untracked,
    ignoredCount,
    isDirty: changes + untracked.length > 0,
  };

  function addBlob(mode: string, oid: string): void {
    if (mode !== '160000' && /[1-9a-f]/.test(oid)) stagedBlobs.add(oid);
  }
}
