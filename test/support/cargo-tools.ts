// The cargo of this machine for a guest, with a compiler that only says who it is: to load crates, cargo asks it no more.
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostSettings } from '../../src/network/package-settings.ts';

/** Puts `cargo` and `rustc` into the folder; false where this machine has none. */
export async function takeCargo(folder: string): Promise<boolean> {
  const sysroot = (await hostSettings.run('rustc', ['--print', 'sysroot']))?.trim();
  const version = await hostSettings.run('rustc', ['-vV']);
  const kinds = ['bin', 'rlib', 'dylib', 'cdylib', 'staticlib', 'proc-macro'].flatMap((kind) => ['--crate-type', kind]);
  const prints = ['sysroot', 'split-debuginfo', 'crate-name', 'cfg'].map((what) => `--print=${what}`);
  const target = await hostSettings.run('rustc', [
    '-',
    '--crate-name',
    '___',
    '--print=file-names',
    ...kinds,
    ...prints,
  ]);
  if (sysroot === undefined || version === undefined || target === undefined) return false;
  cpSync(join(sysroot, 'bin', 'cargo'), join(folder, 'cargo'));
  const script = `#!/bin/sh\nif [ "$1" = -vV ]; then cat <<'E'\n${version}E\nelse cat <<'E'\n${target}E\nfi\n`;
  writeFileSync(join(folder, 'rustc'), script);
  return true;
}
