// A stop whose record cannot be written ends the guest all the same: what is told afterwards is what happened, by this daemon and by the next.
import { expect, it } from 'vitest';
import { reportError } from '../../src/shared/errors.ts';
import { FaultHome } from '../support/fault-home.ts';
import { standInObstacle } from '../support/stand-in-machine.ts';

/** Stops the workspace on a disk that takes no record of it at this place; gives the code of the error. */
async function stopUnwritten(home: FaultHome, id: string, place: string): Promise<string | undefined> {
  // What has changed is counted, and noted, while the guest is there to be asked.
  await home.order({ kind: 'fail', place, code: 'EIO', after: 1 });
  const code = await home.call('workspace.stop', { workspace_id: id }).then(
    () => undefined,
    (error: unknown) => reportError(error).code,
  );
  expect((await home.order({ kind: 'learn' })).hits).toBeGreaterThan(0);
  return code;
}

const statusOf = async (home: FaultHome, id: string): Promise<string> =>
  JSON.stringify(await home.call('workspace.status', { workspace_id: id }));

it.skipIf(standInObstacle() !== undefined)(
  'a stop that cannot be written down holds, and is written later, or told as such and not as a reboot',
  async () => {
    await using home = await FaultHome.open();
    const [noted, unnoted] = await Promise.all([home.create(), home.create()]);
    for (const id of [noted, unnoted]) await home.sh(id, 'echo kept > kept');
    await home.order({ kind: 'learn' });
    await home.call('workspace.stop', { workspace_id: noted });
    const { places } = await home.order({ kind: 'learn' });
    // On a slow machine mere activity is written, too, which nothing is spent for.
    const isOfStop = (each: string): boolean => /^rename\b.*writeRecord.*spend/.test(each);
    const place = places.find(isOfStop) ?? '';
    expect(place).not.toBe('');
    await home.call('workspace.start', { workspace_id: noted });

    expect(await stopUnwritten(home, noted, place)).toBe('disk_failed');
    expect(await statusOf(home, noted)).toContain('"stop_reason":"explicit"');
    // A daemon that ends writes what it could not write before.
    await home.kill('SIGTERM');
    await home.start();
    expect(await statusOf(home, noted)).toContain('"stop_reason":"explicit"');

    expect(await stopUnwritten(home, unnoted, place)).toBe('disk_failed');
    await home.restart();
    const status = await statusOf(home, unnoted);
    expect(status).toContain('which could not be written down');
    expect(status).not.toContain('started anew');
    for (const id of [noted, unnoted]) {
      await home.call('workspace.start', { workspace_id: id });
      expect(await home.sh(id, 'cat kept')).toBe('kept\n');
    }
    expect(await home.close()).toEqual([]);
  },
);
