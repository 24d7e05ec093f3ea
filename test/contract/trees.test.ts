// Changes and trees: the host's client against the real agent, with an overlay's folders made by hand.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pack as tarPack } from 'tar-stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Change, GuestFiles } from '../../src/agent/file-types.ts';
import { type PlainAgent, plant, startPlainAgent } from '../support/plain-agent.ts';

const isRoot = process.getuid?.() === 0;
let agent: PlainAgent;
let files: GuestFiles;
let workspace: string;
let upper: string;
let lower: string;

beforeAll(async () => {
  agent = await startPlainAgent();
  ({ files, workspace, upper, lower } = agent);
});
afterAll(async () => await agent.stop());
beforeEach(() => agent.clear());

async function collect(changes: AsyncIterable<Change>) {
  const all: { path: string; before?: string; after?: string; isTorn: boolean | undefined }[] = [];
  for await (const change of changes) {
    const text = async (side: unknown, content: () => AsyncIterable<Buffer>) =>
      side === undefined ? undefined : (await buffer(content())).toString('latin1');
    const before = await text(change.before, change.contentBefore);
    const after = await text(change.after, change.contentAfter);
    all.push({
      path: change.path.toString('latin1'),
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
      isTorn: await change.isTorn?.(),
    });
  }
  return all;
}

function tarOf(entries: Readonly<Record<string, string>>): Readable {
  const tar = tarPack();
  for (const [name, content] of Object.entries(entries)) tar.entry({ name, mode: 0o755 }, content);
  tar.finalize();
  return Readable.from(tar);
}

describe('changes', () => {
  it('tell both sides of what the upper folder has', async () => {
    plant(lower, { same: '=', changed: 'old', 'd/x': '1' });
    plant(upper, { same: '=', changed: 'new and longer', 'd/new': 'n', big: Buffer.alloc(300_000, 'b') });
    expect(await collect(files.changes({ scope: 'workspace', hasContent: true }))).toEqual([
      { path: 'big', after: 'b'.repeat(300_000), isTorn: false },
      { path: 'changed', before: 'old', after: 'new and longer', isTorn: false },
      { path: 'd/new', after: 'n', isTorn: false },
    ]);
  });

  it('may be read in part, or not at all', async () => {
    plant(upper, { a: Buffer.alloc(500_000, 'a'), b: Buffer.alloc(500_000, 'b'), c: 'c' });
    const seen: string[] = [];
    for await (const change of files.changes({ scope: 'workspace', hasContent: true })) {
      seen.push(change.path.toString('utf8'));
      if (seen.length === 1) for await (const _ of change.contentAfter()) break;
    }
    expect(seen).toEqual(['a', 'b', 'c']);
    for await (const _ of files.changes({ scope: 'workspace', hasContent: true })) break;
    expect(await agent.client.status()).toBeDefined();
  });

  it('tell of explicit paths whether they have changed or not', async () => {
    plant(lower, { a: 'A' });
    plant(workspace, { a: 'A' });
    const paths = [Buffer.from('a'), Buffer.from([0xff])];
    expect(await collect(files.changes({ scope: 'workspace', hasContent: true, paths, isExact: true }))).toEqual([
      { path: 'a', before: 'A', after: 'A', isTorn: false },
      { path: '\xff', isTorn: false },
    ]);
  });

  it('know whiteouts and leave out names', async ({ skip }) => {
    if (!isRoot) skip('whiteouts are made by root alone');
    plant(lower, { 'gone/x': '1', '.git/HEAD': 'h' });
    plant(upper, { '.git/HEAD': 'other' });
    execFileSync('mknod', [join(upper, 'gone'), 'c', '0', '0']);
    const request = { scope: 'workspace', hasContent: true, excludedNames: ['.git'] } as const;
    expect(await collect(files.changes(request))).toEqual([
      { path: 'gone', before: '', isTorn: false },
      { path: 'gone/x', before: '1', isTorn: false },
    ]);
  });

  it('are refused where there is no overlay', async () => {
    const first = files.changes({ scope: 'system', hasContent: false })[Symbol.asyncIterator]().next();
    await expect(first).rejects.toMatchObject({ code: 'guest_refused', details: { guest_code: 'no_layers' } });
  });
});

describe('trees', () => {
  it('come out as a tar and go in as one', async () => {
    plant(workspace, { 'from/a': 'A', 'from/.git/x': '1', 'to/a/deep': 'folder', 'to/old': 'o' });
    const tar = await files.pack({ path: join(workspace, 'from'), excludedNames: ['.git'] });
    const done = await files.unpack({ destination: join(workspace, 'to'), deletedPaths: [Buffer.from('old')] }, tar);
    expect(done).toEqual({ written: 1, deleted: 1 });
    expect(readFileSync(join(workspace, 'to/a'), 'utf8')).toBe('A');
    expect([existsSync(join(workspace, 'to/old')), existsSync(join(workspace, 'to/.git'))]).toEqual([false, false]);
  });

  it('that fail on the way leave everything as it was', async () => {
    plant(workspace, { a: 'old' });
    const broken = new PassThrough();
    tarOf({ a: 'new' }).on('data', (chunk: Buffer) => broken.write(chunk.subarray(0, 600)));
    setTimeout(() => broken.destroy(new Error('the source broke')), 200);
    const deletedPaths = [Buffer.from('a')];
    await expect(files.unpack({ destination: workspace, deletedPaths }, broken)).rejects.toThrow('the source broke');
    await expect(
      files.unpack({ destination: workspace, deletedPaths }, tarOf({ '../x': 'out' })),
    ).rejects.toMatchObject({
      details: { guest_code: 'invalid_path' },
    });
    expect(execFileSync('ls', ['-A', workspace], { encoding: 'utf8' })).toBe('a\n');
    expect(existsSync(join(agent.folder, 'x'))).toBe(false);
  });

  it('are compared by type, mode and content', async () => {
    plant(workspace, { same: 's', other: 'abc', 'extra/x': '1', '.git/x': '1' });
    const item = (path: string, text: string, mode = 0o644) => ({
      path: Buffer.from(path),
      type: 'file' as const,
      mode,
      size: text.length,
      sha256: createHash('sha256').update(text).digest('hex'),
    });
    const items = [item('same', 's'), item('other', 'abd'), item('missing', ''), item('same', 's', 0o755)];
    expect(await files.compare({ destination: workspace, items })).toEqual({
      different: [1, 2, 3],
      extra: [Buffer.from('extra'), Buffer.from('extra/x')],
    });
    const many = Array.from({ length: 5000 }, (_, at) => item(`many/${at}`, 'x'));
    expect((await files.compare({ destination: workspace, items: many })).different).toHaveLength(5000);
  });
});
