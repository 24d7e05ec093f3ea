// Shells of a workspace over a stand-in guest, by the calls of a model: opened, typed into, read, resized, signalled, closed.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  shellCloseInput,
  shellListInput,
  shellOpenInput,
  shellReadInput,
  shellResizeInput,
  shellSignalInput,
  shellWriteInput,
} from '../../../../src/contract/shells.ts';
import { call } from '../../../support/engine.ts';
import { killNow } from '../../../support/kill.ts';
import { cancelAllAlong, StandInHouse } from '../../../support/stand-in-house.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
const value = 'a-secret-of-the-shells';
let house: StandInHouse;

beforeAll(async () => {
  if (obstacle === undefined) house = await StandInHouse.open({ secrets: [{ name: 'TOKEN', value }] });
});
afterAll(async () => await house?.[Symbol.asyncDispose]());

type Given = Record<string, unknown>;
const named = (shell_id: string) => ({ workspace_id: house.id, shell_id });
const open = async (given: Given = {}, changes: Parameters<typeof call>[0] = {}) =>
  await house.all.shells.open(
    shellOpenInput.parse({ workspace_id: house.id, env: { PS1: 'pyro$ ' }, ...given }),
    call(changes),
  );
const type = async (id: string, input: string, given: Given = {}) =>
  await house.all.shells.write(shellWriteInput.parse({ ...named(id), input, ...given }), call());
const read = async (id: string, given: Given = {}, changes: Parameters<typeof call>[0] = {}) =>
  await house.all.shells.read(shellReadInput.parse({ ...named(id), plain: true, ...given }), call(changes));
const close = async (id: string) => await house.all.shells.close(shellCloseInput.parse(named(id)), call());
const list = async () => await house.all.shells.list(shellListInput.parse({ workspace_id: house.id }), call());

/** Types a line and waits for what it prints; the answer is not in the line itself. */
async function answer(id: string, line: string, pattern: string): Promise<string> {
  // Before it is typed: the answer may be there before the call is back.
  const { output_bytes: cursor } = await read(id, { max_chars: 1 });
  await type(id, line);
  const { matched, output } = await read(id, { cursor, wait_for: pattern, wait_seconds: 20 });
  expect(matched, output).toBe(true);
  return output;
}

/** Nothing of what is typed comes back, by nobody's settings. */
async function hush(id: string): Promise<void> {
  await type(id, "set +o emacs; stty -echo; PS1='pyro$ '; echo re''ady");
  const { matched, output } = await read(id, { wait_for: '/ready\\s+pyro\\$ $/', wait_seconds: 20 });
  expect(matched, output).toBe(true);
}

describe.skipIf(obstacle !== undefined)('a shell', { shuffle: false }, () => {
  let id = '';

  it('opens where it is told to, and answers what is typed', async () => {
    await house.sh('mkdir -p sub');
    const opened = await open({ cwd: 'sub', cols: 100, rows: 40, secret_env: { TOKEN: 'SECRET' } });
    expect(opened).toMatchObject({ state: 'running', cwd: '/workspace/sub', cols: 100, rows: 40, restarted: false });
    id = opened.shell_id;
    await hush(id);
    expect(await answer(id, 'echo "<$PWD>"; stty size', '/40 100/')).toContain('</workspace/sub>');
    const masked = await answer(id, 'echo "[$SECRET]"', '/\\[\\**\\]/');
    expect(masked).toContain(`[${'*'.repeat(value.length)}]`);
    await expect(open({ cwd: `/tmp/${value}` })).rejects.toMatchObject({ code: 'secret_in_record' });
    await expect(open({ cwd: '/none' })).rejects.toThrow();
  });

  it('is told its new size, and what is typed without Enter waits', async () => {
    const resized = await house.all.shells.resize(shellResizeInput.parse({ ...named(id), cols: 60, rows: 20 }), call());
    expect(resized).toMatchObject({ cols: 60, rows: 20 });
    await answer(id, 'stty size', '/20 60/');
    expect(await type(id, 'echo wai', { append_newline: false })).toMatchObject({ input_length: 8 });
    await answer(id, 'ted', '/waited/');
  });

  it('is interrupted in what runs in it, and lives on', async () => {
    await answer(id, 'echo go; exec 3>&1; sleep 4720', '/go/');
    await until(async () => (await house.processes('sleep 4720')) === 1);
    const sent = await house.all.shells.signal(shellSignalInput.parse({ ...named(id), signal_name: 'INT' }), call());
    expect(sent).toMatchObject({ signal: 'INT', state: 'running' });
    await answer(id, 'echo still $((40 + 2))', '/still 42/');
  });

  it('shows the screen of a full-screen program, and the old one after it', async () => {
    await answer(
      id,
      "clear; printf '\\033[?1049h\\033[2J\\033[3;5Hfull'; sleep 0.1; read x; printf '\\033[?1049l'; echo ba''ck",
      '/full/',
    );
    const during = await read(id, { screen: true });
    expect(during.screen?.lines[2]).toBe('    full');
    expect(during.screen).toMatchObject({ is_alternate: true, cursor_row: 2, cursor_col: 8 });
    expect(during.output).toBe('');
    await answer(id, '', '/back/');
    const after = await read(id, { screen: true });
    expect(after.screen?.is_alternate).toBe(false);
    expect(after.screen?.lines.join('\n')).not.toContain('full\n');
    expect((await read(id, { redraw: true })).output).toContain('back');
  });

  it('is read in pages that lose nothing, and waits for quiet no longer than it may', async () => {
    const { output_bytes: from } = await read(id, { max_chars: 1 });
    await type(id, 'seq 30000; echo en""d');
    await read(id, { cursor: from, wait_for: '/\\nend/', wait_seconds: 20 });
    let text = '';
    for (let cursor = from, isMore = true; isMore; ) {
      const page = await read(id, { cursor, max_chars: 10_000 });
      text += page.output;
      cursor = page.next_cursor;
      isMore = page.truncated;
    }
    const numbers = text.split(/\r?\n/).filter((line) => /^\d+$/.test(line));
    expect(numbers).toEqual(Array.from({ length: 30_000 }, (_, index) => `${index + 1}`));
    const quiet = await read(id, { cursor: from, wait_for_idle_ms: 50 });
    expect(quiet).toMatchObject({ wait_for_idle_ms: 50, matched: null });
    const { output_bytes: end } = quiet;
    expect(await read(id, { cursor: end, wait_for: 'never', wait_seconds: 0.1 })).toMatchObject({ matched: false });
    await expect(read(id, { cursor: end + 1000 })).rejects.toMatchObject({ code: 'usage' });
    const waiting = new AbortController();
    const reading = read(id, { cursor: end, wait_for: 'never', wait_seconds: 20 }, { signal: waiting.signal });
    waiting.abort(new Error('enough'));
    await expect(reading).rejects.toThrow();
  });

  it('goes on with another daemon, and is lost with its guest', async () => {
    await house.engine.reopen();
    await answer(id, 'echo again $((1 + 1))', '/again 2/');
    killNow(house.engine.engine().activity().guests[0]?.pid);
    await until(() => house.engine.engine().activity().runningGuests === 0);
    await until(async () => (await list()).shells[0]?.state === 'stopped');
    expect((await list()).shells).toMatchObject([{ shell_id: id, lost: true }]);
    expect((await read(id, { max_chars: 1_000_000 })).output).toContain('again 2');
    await expect(type(id, 'x')).rejects.toMatchObject({ code: 'shell_ended' });
    // Reading it has started no guest.
    expect(house.engine.engine().activity().runningGuests).toBe(0);
    expect(await close(id)).toMatchObject({ closed: true, lost: true });
    await expect(read(id)).rejects.toMatchObject({ code: 'shell_unknown' });
    const { shell_id: next, restarted } = await open();
    expect(restarted).toBe(true);
    await close(next);
  });

  it('that ends by itself says how, and keeps what it said', async () => {
    const { shell_id: own } = await open();
    await type(own, 'echo la""st; exit 3');
    await until(async () => (await read(own)).state === 'stopped');
    expect(await read(own)).toMatchObject({ exit_code: 3, output: expect.stringContaining('last') });
    await close(own);
  });

  it('that is closed or cancelled while it opens leaves no process, and many are refused with a way out', async () => {
    const { shell_id: own, program } = await open();
    await answer(own, 'sleep 4721 & echo p""id', '/pid/');
    await close(own);
    const cut = await cancelAllAlong(async (signal) => await close((await open({}, { signal })).shell_id), 12);
    expect(cut).toBeGreaterThan(0);
    await until(async () => (await house.processes('sleep 4721')) + (await house.processes(program)) === 0);
    expect((await list()).count).toBe(0);
    const opened = await Promise.allSettled(Array.from({ length: 40 }, async () => await open()));
    expect(opened.filter(({ status }) => status === 'fulfilled')).toHaveLength(32);
    expect(opened.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'limit_reached', hint: expect.stringContaining('close one') },
    });
    await Promise.all((await list()).shells.map(async ({ shell_id: each }) => await close(each)));
    await until(async () => (await house.processes(program)) === 0);
  });
});
