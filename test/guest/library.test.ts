// The library with a real guest: output that is followed to its end, whatever happens to the daemon, and who ends what.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ExecEvent, type OwnedWorkspace, Pyro } from '../../src/index.ts';

const pyro = new Pyro();
let workspace: OwnedWorkspace;

beforeAll(async () => {
  workspace = await pyro.workspaces.create();
});

afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
});

async function collect(command: string, onEvent: (event: ExecEvent) => void = () => undefined): Promise<ExecEvent[]> {
  const events: ExecEvent[] = [];
  for await (const event of workspace.execStream({ command })) {
    events.push(event);
    onEvent(event);
  }
  return events;
}

/** The text of a stream; each piece begins where the one before has ended. */
function joined(events: readonly ExecEvent[], stream: 'stdout' | 'stderr'): string {
  let text = '';
  for (const event of events) {
    if (event.type !== stream) continue;
    expect(event.offset).toBe(Buffer.byteLength(text));
    text += event.text;
  }
  return text;
}

const numbers = Array.from({ length: 100_000 }, (_, index) => `${index + 1}\n`).join('');

it('long output comes whole and in order on both streams, then the exit', async () => {
  const events = await collect('seq 1 100000; printf "é\\n" >&2; exit 9');
  expect(joined(events, 'stdout')).toBe(numbers);
  expect(joined(events, 'stderr')).toBe('é\n');
  expect(events.at(-1)).toMatchObject({ type: 'exit', exit_code: 9, stdout_bytes: numbers.length, stderr_bytes: 3 });
});

it('output comes while the command runs', async () => {
  let answers = 0;
  const events = await collect('mkfifo /tmp/go; echo begin; read word </tmp/go; echo "$word"', ({ type }) => {
    // Without this the command would wait for ever.
    if (type === 'stdout' && answers++ === 0) void workspace.exec({ command: 'echo went >/tmp/go' });
  });
  expect(joined(events, 'stdout')).toBe('begin\nwent\n');
});

it('a daemon that is killed in the middle costs nothing', async () => {
  const before = (await pyro.daemon.status()).daemon?.pid ?? 0;
  let pieces = 0;
  const events = await collect('echo begin; sleep 2; seq 1 100000', ({ type }) => {
    if (type === 'stdout' && pieces++ === 0) process.kill(before, 'SIGKILL');
  });
  expect(joined(events, 'stdout')).toBe(`begin\n${numbers}`);
  expect(events.at(-1)).toMatchObject({ type: 'exit', exit_code: 0 });
  expect((await pyro.daemon.status()).daemon?.pid).not.toBe(before);
});

it('an aborted command is killed, and one whose loop is left', async () => {
  const controller = new AbortController();
  const aborted = (async () => {
    const input = { command: 'echo begin; sleep 600' };
    for await (const { type } of workspace.execStream(input, { signal: controller.signal })) {
      if (type === 'stdout') controller.abort();
    }
  })();
  await expect(aborted).rejects.toMatchObject({ code: 'cancelled' });
  for await (const { type } of workspace.execStream({ command: 'echo begin; sleep 600' })) if (type === 'stdout') break;
  await expect.poll(async () => (await workspace.status()).running_sequences, { timeout: 20_000 }).toEqual([]);
});

it('a workspace is deleted at the end of its block, unless it was deleted or is kept', async () => {
  const kept = await (async () => {
    await using first = await pyro.workspaces.create({ name: 'first' });
    await using second = await pyro.workspaces.create({ name: 'second' });
    await second.delete();
    first.keep();
    return first.id;
  })();
  expect((await pyro.workspace.list()).workspaces.map(({ workspace_id: id }) => id)).toContain(kept);
  await pyro.workspaces.open(kept).delete();
  {
    await using third = await pyro.workspaces.create({ name: 'third' });
    expect(third.created.name).toBe('third');
  }
  expect((await pyro.workspace.list()).workspaces.map(({ name }) => name)).not.toContain('third');
});
