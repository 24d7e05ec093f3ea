// Standard input between caller and daemon: only the end is an end.
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { InputPump, openLiveInput } from '../../../src/daemon/live-input.ts';

/** Both sides, joined without a socket. */
function joined(source: Readable) {
  const said: string[] = [];
  let pump: InputPump | undefined;
  const input = openLiveInput((bytes) => pump?.allow(bytes));
  pump = new InputPump(source, {
    send: async (bytes) => input.take(bytes),
    end: async () => {
      said.push('end');
      input.end();
    },
    fail: async (message) => {
      said.push(message);
      input.fail(message);
    },
  });
  return { stream: input.stream, said, pump };
}

async function* breakingOff(count: number): AsyncGenerator<Buffer> {
  for (let left = count; left > 0; left--) yield Buffer.alloc(100_000, 0x61);
  throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
}

describe('live input', () => {
  it('comes whole and ends', async () => {
    const { stream, said } = joined(Readable.from([Buffer.alloc(1_000_000, 0x61), 'text', new Uint8Array([0xff])]));
    const bytes = await buffer(stream);
    expect(bytes.length).toBe(1_000_005);
    expect(bytes.at(-1)).toBe(0xff);
    expect(said).toEqual(['end']);
  });

  it.each([0, 12])('a source that fails after %i pieces has no end', async (count) => {
    const { stream, said } = joined(Readable.from(breakingOff(count)));
    await expect(buffer(stream)).rejects.toMatchObject({
      code: 'input_failed',
      message: expect.stringContaining('EIO: i/o error'),
    });
    expect(said).toEqual([expect.stringContaining('EIO')]);
  });

  it('one that is closed before its end has none either', async () => {
    const source = new Readable({ read: () => undefined });
    const { stream } = joined(source);
    const whole = buffer(stream);
    source.push('a part');
    await nextTurn();
    source.destroy();
    await expect(whole).rejects.toMatchObject({ code: 'input_failed' });
  });

  it('whoever stops it is told nothing', async () => {
    const source = new Readable({ read: () => undefined });
    const { stream, said, pump } = joined(source);
    stream.resume();
    source.push('a part');
    await nextTurn();
    pump.stop();
    await nextTurn();
    expect(source.destroyed).toBe(true);
    expect(said).toEqual([]);
  });
});
