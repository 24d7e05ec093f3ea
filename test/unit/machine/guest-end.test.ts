// How a guest ended: QEMU's last event tells, and for a panic the console.
import { expect, it } from 'vitest';
import { describeEnd, endEvent } from '../../../src/machine/guest-end.ts';

const panic = '[    3.1] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b\n[    3.2] CPU: 0\n';

it('tells a panic from a reboot by the words of the kernel', () => {
  expect(describeEnd('guest-reset', panic)).toEqual({
    cause: 'panic',
    text: 'its kernel panicked: Attempted to kill init! exitcode=0x0000000b',
  });
  expect(describeEnd('guest-reset', 'nothing of note\n').cause).toBe('reboot');
  expect(describeEnd('guest-panic', '')).toEqual({ cause: 'panic', text: 'its kernel panicked' });
});

it('tells one that was switched off from one that was killed', () => {
  expect(describeEnd('guest-shutdown', panic).cause).toBe('power_off');
  expect(describeEnd(undefined, '').cause).toBe('killed');
  expect(describeEnd('host-signal', '').cause).toBe('killed');
});

it('shows no control character and no endless line of a guest', () => {
  const hostile = `Kernel panic - not syncing: a\u001b]0;title\u0007b${'x'.repeat(5000)}\n`;
  const { text } = describeEnd('guest-reset', hostile);
  expect(text.length).toBeLessThan(200);
  expect([...text].every((each) => each >= ' ' && each !== '\u007f')).toBe(true);
});

it('reads the events that tell an end, and no others', () => {
  expect(endEvent({ event: 'SHUTDOWN', data: { guest: true, reason: 'guest-reset' } })).toBe('guest-reset');
  expect(endEvent({ event: 'SHUTDOWN', data: { reason: 7 } })).toBe('unknown');
  expect(endEvent({ event: 'GUEST_PANICKED', data: { action: 'run' } })).toBe('guest-panic');
  expect(endEvent({ event: 'STOP', data: {} })).toBeUndefined();
});

it('takes no end from a watchdog that nobody has put there, as from any event that is not known', () => {
  expect(endEvent({ event: 'WATCHDOG', data: { action: 'reset' } })).toBeUndefined();
});
