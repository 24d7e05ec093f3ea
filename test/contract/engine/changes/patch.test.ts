// Patches into a workspace over a stand-in guest: both grammars, all or nothing, and where a hunk does not fit.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { patchApplyInput } from '../../../../src/contract/changes.ts';
import { call } from '../../../support/engine.ts';
import { cancelAllAlong, StandInHouse } from '../../../support/stand-in-house.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';

const obstacle = standInObstacle();
const value = 'a-secret-of-the-patch';
let house: StandInHouse;

beforeAll(async () => {
  if (obstacle === undefined) house = await StandInHouse.open({ secrets: [{ name: 'TOKEN', value }] });
});
afterAll(async () => await house?.[Symbol.asyncDispose]());
beforeEach(async () => {
  if (obstacle === undefined)
    await house.sh('find . -mindepth 1 -delete; seq 20 > n; echo a > a; chmod 755 a; seq 5 > old');
});

const patched = (patch: string, signal = new AbortController().signal) =>
  house.all.patchApply(patchApplyInput.parse({ workspace_id: house.id, patch }), call({ signal }));

const several = `*** Begin Patch
*** Add File: d/new
+one
+two
*** Update File: n
@@
 3
-4
+four
 5
*** Delete File: old
*** Update File: a
*** Move to: b
@@
-a
+b
*** End Patch`;

describe.skipIf(obstacle !== undefined)('a patch', () => {
  it('as models write it adds, changes, moves and deletes', async () => {
    const result = await patched(several);
    expect(result).toMatchObject({ changed: true, summary: { total: 5 } });
    expect(result.entries.map(({ path }) => path)).toEqual(
      ['a', 'b', 'd/new', 'n', 'old'].map((name) => `/workspace/${name}`),
    );
    expect(await house.sh('ls; cat d/new b; sed -n 4p n; stat -c %a b')).toBe('b\nd\nn\none\ntwo\nb\nfour\n755\n');
  });

  it('as Git prints it takes modes, renames, binary files and a moved place', async () => {
    await house.sh(`git init -q; git add .; git -c user.name=T commit -qm x; (echo 0; cat n) > n2; mv n2 n
      chmod 644 a; git mv old older; printf '\\0\\1' > bin; sed -i s/15/fifteen/ n; git add -A; git diff --cached --binary HEAD > /tmp/p
      git reset -q --hard; sed -i '1i before' n`);
    const patch = await house.sh('cat /tmp/p');
    await patched(patch.replace(/^@@ -1,3 .*\n\+0\n 1\n 2\n 3\n/m, ''));
    expect(await house.sh('ls; stat -c %a a; cat n | head -2; grep -c fifteen n; od -An -tx1 bin')).toBe(
      'a\nbin\nn\nolder\n644\nbefore\n1\n1\n 00 01\n',
    );
  });

  it('of which one hunk does not fit changes nothing, and shows the lines that stand there', async () => {
    const before = await house.sh('ls -l; cat n');
    const error = await patched(several.replace('-4', '-44')).catch((each: unknown) => each);
    expect(error).toMatchObject({ code: 'patch_failed', message: expect.stringContaining('n') });
    expect(await house.sh('ls -l; cat n')).toBe(before);
    await expect(patched('no patch at all')).rejects.toMatchObject({ code: expect.stringMatching(/patch|usage/) });
    const outside = '*** Begin Patch\n*** Add File: ../../etc/x\n+x\n*** End Patch';
    await expect(patched(outside)).rejects.toThrow();
    expect(await house.sh('ls /etc/x 2>/dev/null || echo none')).toBe('none\n');
  });

  it('says nothing of a secret that stands where it does not fit', async () => {
    await house.sh(`printf '3\\n${value}\\n5\\n' > n`);
    const error = await patched(several).catch((each: unknown) => each);
    expect(error).toMatchObject({ code: 'patch_failed' });
    expect(JSON.stringify({ ...Object(error), text: String(error) })).not.toContain(value);
  });

  it('that is cancelled at any moment is applied whole or not at all', async () => {
    const body = Array.from({ length: 300 }, (_, index) => `*** Add File: lot/${index}\n+${index}\n`).join('');
    const counts = new Set<string>();
    const cut = await cancelAllAlong(async (signal) => {
      await house.sh('rm -rf lot');
      await patched(`*** Begin Patch\n${body}*** End Patch`, signal).finally(async () => {
        counts.add((await house.sh('find lot -type f 2>/dev/null | wc -l')).trim());
      });
    });
    expect(cut).toBeGreaterThan(0);
    expect([...counts].filter((each) => each !== '0' && each !== '300')).toEqual([]);
    expect(house.leftovers).toEqual([]);
  });

  it('twice at once is applied once', async () => {
    const both = await Promise.allSettled([patched(several), patched(several)]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await house.sh('cat d/new b; ls')).toBe('one\ntwo\nb\nb\nd\nn\n');
  });
});
