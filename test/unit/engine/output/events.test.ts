// The history of a workspace when the host's disk is full: what was done stays done.
import { expect, it } from 'vitest';
import { recordEvent } from '../../../../src/engine/output/events.ts';

it('an event that finds no room fails nothing, one that may not be written does', async () => {
  await recordEvent('/dev/full', 'sync', '3 written');
  await expect(recordEvent('/nonexistent/events.jsonl', 'sync', '3 written')).rejects.toThrow('ENOENT');
});
