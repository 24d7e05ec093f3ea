// The MCP server as hosts meet it: a real process, the official client in both protocol eras, and raw lines.
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { contentOf, type FakeHome, makeCheckout, openHome, until } from '../support/fake.ts';
import { errorOf, fakeServer, handshake, openClient, type RawClient, rawClient, seededSchema } from '../support/mcp.ts';

let home: FakeHome;
beforeEach(() => {
  home = openHome();
});
afterEach(async () => {
  await home[Symbol.asyncDispose]();
});

async function openRaw(
  flags: readonly string[] = [],
  capabilities?: object,
): Promise<{ child: ChildProcess; raw: RawClient }> {
  const child = home.start(['mcp', 'serve', '--no-project-source', ...flags]);
  const raw = rawClient(child);
  await handshake(raw, capabilities);
  return { child, raw };
}

describe.each([
  ['2025-11-25 by initialize', {}],
  ['2026-07-28 by discover', { versionNegotiation: { mode: { pin: '2026-07-28' } } }],
] as const)('the official client, revision %s', (_name, options) => {
  it('lists tools and calls one, with the same facts in text and structure', async () => {
    await using open = await openClient(fakeServer(home, ['--no-project-source']), options);
    const { tools } = await open.client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['fake_echo', 'fake_wait', 'fake_seeded', 'fake_fail']);
    const result = await open.client.callTool({ name: 'fake_echo', arguments: { text: 'hé' } });
    const pid = (await home.status())?.pid;
    expect(result.structuredContent).toEqual({ text: 'hé', pid });
    expect(result.content).toEqual([{ type: 'text', text: `hé from ${pid}\n` }]);
  });

  it('gives instructions within what every host shows, prompts and resource templates', async () => {
    await using open = await openClient(fakeServer(home, ['--no-project-source']), options);
    const instructions = open.client.getInstructions() ?? '';
    expect(instructions.length).toBeGreaterThan(100);
    expect(instructions.length).toBeLessThanOrEqual(2000);
    const { prompts } = await open.client.listPrompts();
    expect(prompts).toHaveLength(5);
    const prompt = await open.client.getPrompt({ name: 'repro-fix-loop', arguments: { task: 'the date is wrong' } });
    expect(JSON.stringify(prompt.messages)).toContain('the date is wrong');
    expect((await open.client.listResourceTemplates()).resourceTemplates).toEqual([]);
  });

  it('asks for the roots of the host when a call needs the project', async () => {
    const project = makeCheckout(home, 'project');
    let asked = 0;
    await using open = await openClient(
      fakeServer(home),
      { ...options, capabilities: { roots: { listChanged: true } } },
      (client) => {
        client.setRequestHandler('roots/list', async () => {
          asked++;
          return { roots: [{ uri: pathToFileURL(home.path('gone')).href }, { uri: pathToFileURL(project).href }] };
        });
      },
    );
    await open.client.callTool({ name: 'fake_echo', arguments: { text: 'a' } });
    expect(asked).toBe(0);
    const first = await open.client.callTool({ name: 'fake_seeded', arguments: { seed_path: 'sub' } });
    expect(seededSchema.parse(first.structuredContent)).toMatchObject({
      project,
      origin_kind: 'roots',
      seed_path: `${project}/sub`,
      folders: [project, expect.stringContaining('exports')],
    });
    await open.client.callTool({ name: 'fake_seeded', arguments: {} });
    expect(asked).toBe(1);
  });

  it('cancels the operation itself', async () => {
    await using open = await openClient(fakeServer(home, ['--no-project-source']), options);
    const mark = home.path('mark');
    const abort = new AbortController();
    const call = open.client.callTool({ name: 'fake_wait', arguments: { ms: 60_000, mark } }, { signal: abort.signal });
    call.catch(() => undefined);
    await until(() => contentOf(mark).includes('started'));
    abort.abort('enough');
    await expect(call).rejects.toThrow();
    await until(() => contentOf(mark).includes('aborted'));
    expect(contentOf(mark)).toBe('started\naborted\n');
  });

  it('sends progress that grows while a call runs', async () => {
    await using open = await openClient(fakeServer(home, ['--no-project-source']), options);
    const seen: { progress: number; message?: string | undefined }[] = [];
    await open.client.callTool(
      { name: 'fake_wait', arguments: { ms: 3500 } },
      { onprogress: ({ progress, message }) => seen.push({ progress, message }) },
    );
    expect(seen.length).toBeGreaterThanOrEqual(2);
    expect(seen.map(({ progress }) => progress)).toEqual(seen.map((_each, index) => index + 1));
    expect(seen.at(-1)?.message).toMatch(/^waiting: waiting 3500 ms, 25 % \(\d s\)$/);
  });
});

describe('a tool', () => {
  it('is described by its operation: schema, annotations, what hosts read beside the standard', async () => {
    await using open = await openClient(fakeServer(home, ['--no-project-source']));
    const { tools } = await open.client.listTools();
    const [echo, wait, seeded] = tools;
    expect(echo).toMatchObject({
      title: 'Fake',
      annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
      _meta: { 'anthropic/alwaysLoad': true, 'anthropic/maxResultSizeChars': 50_000 },
      inputSchema: { required: ['text'], additionalProperties: false },
    });
    expect(wait?.annotations).toMatchObject({ readOnlyHint: false, destructiveHint: false });
    expect(wait?.annotations).not.toHaveProperty('idempotentHint');
    expect(seeded?.annotations).toMatchObject({ destructiveHint: true, idempotentHint: true, openWorldHint: false });
    expect(Object.keys(seeded?.inputSchema.properties ?? {})).toEqual([
      'environment',
      'seed_path',
      'network_policy',
      'package_sources',
    ]);
    expect(tools.every(({ outputSchema }) => outputSchema?.type === 'object')).toBe(true);
  });

  it('takes what is meant, and says in a note what it was taken for', async () => {
    await using open = await openClient(fakeServer(home, ['--no-project-source']));
    const result = await open.client.callTool({ name: 'fake_echo', arguments: { content: 'a', count: '2' } });
    expect(JSON.stringify(result.content)).toContain('note: content was taken for text');
    expect(JSON.stringify(result.content)).toContain('note: count: the text was taken as a number');
    expect(JSON.stringify(result.content)).toContain('aa from');
  });

  it.each([
    ['an unknown argument', 'fake_echo', { text: 'a', txt: 'b' }, /unknown argument txt/, /arguments: text, count/],
    ['a missing one', 'fake_echo', {}, /text is missing/, /arguments: text, count/],
    ['a value out of range', 'fake_echo', { text: 'a', count: 9 }, /count: .*3/, /arguments/],
    [
      'a value of another kind',
      'fake_fail',
      { how: 'slowly' },
      /how: it must be one of known, bug/,
      /\{"how":"known"\}; arguments: how/,
    ],
    [
      'an argument that was not allowed',
      'fake_seeded',
      { allow_host_compat: true },
      /not allowed/,
      /--allow-host-compat/,
    ],
    [
      'one of the same kind by another name',
      'fake_seeded',
      { allowHostCompat: 'true' },
      /allow_host_compat is not allowed/,
      /--allow-host-compat/,
    ],
    ['an unknown tool', 'fake_ech', {}, /no tool fake_ech/, /fake_echo, fake_wait/],
  ])('answers %s with what is expected', async (_name, name, args, message, hint) => {
    await using open = await openClient(fakeServer(home, ['--no-project-source']));
    const result = await open.client.callTool({ name, arguments: args });
    expect(result.isError).toBe(true);
    const { text, report } = errorOf(result);
    expect(report.message).toMatch(message);
    expect(report.hint).toMatch(hint);
    expect(text).toContain(report.message);
    expect(text).toContain(report.hint);
  });

  it('tells a failure with code and hint, and a fault without its stack', async () => {
    await using open = await openClient(fakeServer(home, ['--no-project-source']));
    const known = await open.client.callTool({ name: 'fake_fail', arguments: { how: 'known' } });
    expect(errorOf(known).report).toMatchObject({ code: 'disk_full', hint: 'make some' });
    const bug = await open.client.callTool({ name: 'fake_fail', arguments: { how: 'bug' } });
    expect(errorOf(bug).report).toMatchObject({
      code: 'internal',
      hint: expect.stringContaining('daemon.log'),
    });
    expect(JSON.stringify(bug)).not.toContain('    at ');
    const lost = await open.client.callTool({ name: 'fake_fail', arguments: { how: 'crash' } });
    expect(errorOf(lost).report).toMatchObject({ code: 'daemon_lost', retryable: true });
    expect((await open.client.callTool({ name: 'fake_echo', arguments: { text: 'a' } })).isError).toBeUndefined();
  });

  it('that takes longer than hosts wait is answered, and its work goes on', async () => {
    const server = fakeServer(home, ['--no-project-source']);
    await using open = await openClient({ ...server, env: { ...server.env, FAKE_GUARD_MS: '500' } });
    const mark = home.path('mark');
    // The daemon is started first, so that the wait is the operation's alone.
    await home.run(['call', 'fake.echo', '{"text":"a"}']);
    const result = await open.client.callTool({ name: 'fake_wait', arguments: { ms: 2500, mark } });
    expect(errorOf(result).report).toMatchObject({ code: 'still_running', retryable: true });
    await until(() => contentOf(mark).includes('done'));
    expect(contentOf(mark)).toBe('started\ndone\n');
  });
});

describe('raw lines of revision 2025-06-18', () => {
  it('agrees on the revision and starts no daemon for a list', async () => {
    const child = home.start(['mcp', 'serve']);
    const raw = rawClient(child);
    const answer = await handshake(raw);
    expect(answer.result).toMatchObject({ protocolVersion: '2025-06-18', serverInfo: { name: 'pyro' } });
    const list = await raw.request(2, 'tools/list');
    expect(list.result).toMatchObject({
      tools: expect.arrayContaining([expect.objectContaining({ name: 'fake_echo' })]),
    });
    expect(await home.status()).toBeNull();
    expect(existsSync(home.path('state'))).toBe(false);
    child.stdin?.end();
    expect(raw.rubbish).toEqual([]);
  });

  it('answers a ping and other calls at once while one runs', async () => {
    const { child, raw } = await openRaw();
    await raw.request(2, 'tools/call', { name: 'fake_echo', arguments: { text: 'a' } });
    raw.send({ id: 3, method: 'tools/call', params: { name: 'fake_wait', arguments: { ms: 4000 } } });
    const startedAt = Date.now();
    expect((await raw.request(4, 'ping')).result).toEqual({});
    await raw.request(5, 'tools/call', { name: 'fake_echo', arguments: { text: 'b' } });
    expect(Date.now() - startedAt).toBeLessThan(2500);
    expect((await raw.next(({ id }) => id === 3)).result).toMatchObject({ structuredContent: { waited_ms: 4000 } });
    child.stdin?.end();
  });

  it('ignores a cancel that comes late or for nothing', async () => {
    const { child, raw } = await openRaw();
    await raw.request(2, 'tools/call', { name: 'fake_echo', arguments: { text: 'a' } });
    raw.send({ method: 'notifications/cancelled', params: { requestId: 2, reason: 'late' } });
    raw.send({ method: 'notifications/cancelled', params: { requestId: 'never' } });
    const again = await raw.request(3, 'tools/call', { name: 'fake_echo', arguments: { text: 'b' } });
    expect(again.result).toMatchObject({ structuredContent: { text: 'b' } });
    child.stdin?.end();
  });

  it('goes on without roots when the host declares them and does not answer', async () => {
    const child = home.start(['mcp', 'serve']);
    const raw = rawClient(child);
    await handshake(raw, { roots: {} });
    const answer = await raw.request(2, 'tools/call', { name: 'fake_seeded', arguments: {} });
    expect(raw.messages.some(({ method }) => method === 'roots/list')).toBe(true);
    expect(answer.result).toMatchObject({ structuredContent: { origin_kind: 'cwd' } });
    child.stdin?.end();
  });

  it('leaves out roots that are no folder of this machine, and takes the others', async () => {
    const project = makeCheckout(home, 'project');
    const child = home.start(['mcp', 'serve']);
    const raw = rawClient(child);
    await handshake(raw, { roots: {} });
    const answer = raw.request(2, 'tools/call', { name: 'fake_seeded', arguments: {} });
    const asked = await raw.next(({ method }) => method === 'roots/list');
    const addresses = ['vscode-vfs://github/a/b', '', 'file://elsewhere/x', 'file:///%00', pathToFileURL(project).href];
    const roots = [...addresses.map((uri) => ({ uri })), { name: 'no address' }, 'text', null];
    raw.send({ id: asked.id, result: { roots } });
    expect((await answer).result).toMatchObject({ structuredContent: { origin_kind: 'roots', project } });
    child.stdin?.end();
  });

  it('survives lines that are no JSON', async () => {
    const { child, raw } = await openRaw();
    child.stdin?.write('rubbish\n{"jsonrpc":"2.0"}\n\n');
    expect((await raw.request(2, 'ping')).result).toEqual({});
    child.stdin?.end();
  });

  it('answers a batch of lines whose sender closes at once', async () => {
    const child = home.start(['mcp', 'serve']);
    const raw = rawClient(child);
    const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
    raw.send({ id: 1, method: 'initialize', params });
    raw.send({ id: 2, method: 'tools/list' });
    child.stdin?.end();
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(code).toBe(0);
    expect(raw.messages.map(({ id }) => id)).toEqual([1, 2]);
  });

  it.each([
    ['SIGINT', (child: ChildProcess) => child.kill('SIGINT')],
    ['SIGTERM', (child: ChildProcess) => child.kill('SIGTERM')],
  ])('ends at once at %s in the middle of a call, whose operation is aborted', async (_name, end) => {
    const { child, raw } = await openRaw();
    const mark = home.path('mark');
    raw.send({ id: 3, method: 'tools/call', params: { name: 'fake_wait', arguments: { ms: 60_000, mark } } });
    await until(() => contentOf(mark).includes('started'));
    const startedAt = Date.now();
    const ended = new Promise((resolve) => child.once('exit', resolve));
    end(child);
    expect(await ended).toBe(0);
    expect(Date.now() - startedAt).toBeLessThan(2000);
    await until(() => contentOf(mark).includes('aborted'));
    expect(await home.status()).not.toBeNull();
  });
});
