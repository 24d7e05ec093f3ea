// What `pyro mcp serve` takes: one schema for the command line, the server and the commands that connect chat hosts.
import { z } from 'zod';
import { defaultEnvironment, networkCeilings, packageSourceKinds, wayOutOf } from './policy-types.ts';

export const modeNames = ['repro-fix', 'inspect', 'cold-start', 'review-eval'] as const;

export const serverOptionsSchema = z
  .strictObject({
    profile: z
      .enum(['vm-run', 'workspace-core', 'workspace-full'])
      .optional()
      .describe('Tools that the server offers; default workspace-core'),
    mode: z.enum(modeNames).optional().describe('Tools and instructions for one job, instead of a profile'),
    project_path: z
      .string()
      .min(1)
      .optional()
      .describe('Project folder, for hosts that do not keep the working directory'),
    repo_url: z
      .string()
      .min(1)
      .optional()
      .describe('Repository to clone as the project: cloned once, refreshed on demand'),
    repo_ref: z.string().min(1).optional().describe('Branch, tag or commit of the repository'),
    no_project_source: z.boolean().default(false).describe('Workspaces start empty unless a call names a seed'),
    environment: z
      .string()
      .min(1)
      .default(defaultEnvironment)
      .describe('Environment for calls that name none; auto chooses by the lock files of the project'),
    network_policy: z
      .enum(networkCeilings)
      .default('published-ports')
      .describe(
        'Widest and default network access for workspaces of this server; published-ports: no way out, but services may publish ports on 127.0.0.1; off: not even that',
      ),
    allow: z
      .array(z.string().min(1))
      .default([])
      .describe('Host that workspaces may reach, HOST, *.DOMAIN or HOST:PORT; repeatable; default public addresses'),
    package_sources: z
      .enum(packageSourceKinds)
      .default('none')
      .describe(
        'Package manager settings of this host that workspaces get by default and at most, with access to the hosts in them',
      ),
    include: z
      .array(z.string().min(1))
      .default([])
      .describe('Path in the project to include although Git ignores it; repeatable'),
    allow_path: z
      .array(z.string().min(1))
      .default([])
      .describe('Further folder of this host that tools may read from and export into; repeatable'),
    results: z
      .enum(['auto', 'text', 'structured'])
      .default('auto')
      .describe(
        'Whether results that are mostly text come as text alone or as structured content too; auto decides by the name of the host',
      ),
    allow_host_compat: z
      .boolean()
      .default(false)
      .describe('Let tools run commands on this host, without isolation, when no guest can start'),
  })
  .refine(({ profile, mode }) => profile === undefined || mode === undefined, 'give a profile or a mode, not both')
  .refine(
    ({ project_path: path, repo_url: url, no_project_source: isNone }) =>
      [path !== undefined, url !== undefined, isNone].filter(Boolean).length <= 1,
    'give one of --project-path, --repo-url and --no-project-source',
  )
  .refine(({ repo_url: url, repo_ref: ref }) => ref === undefined || url !== undefined, '--repo-ref needs --repo-url')
  .refine(
    ({ allow, network_policy: policy }) => allow.length === 0 || wayOutOf(policy) !== 'off',
    '--allow needs --network-policy egress',
  );
export type ServerOptions = z.infer<typeof serverOptionsSchema>;

export const serverExamples = [
  { why: 'What a chat host runs in a checkout', command: 'pyro mcp serve' },
  {
    why: 'For a chat host that does not keep the working directory',
    command: 'pyro mcp serve --project-path ~/src/app',
  },
  {
    why: 'A clean clone, and only the tools to reproduce and fix a fault',
    command: 'pyro mcp serve --mode repro-fix --repo-url https://example.org/app.git',
  },
  {
    why: 'npm install, pip install and apt-get install work as on this machine; nothing else is reachable',
    command: 'pyro mcp serve --environment auto --package-sources host',
  },
  {
    why: 'One more host is reachable',
    command: 'pyro mcp serve --network-policy egress --allow packages.example.org',
  },
] as const;
