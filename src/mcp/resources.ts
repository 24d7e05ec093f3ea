// Resources: diffs, logs and files of workspaces, read through the same operations as the tools.
import type { ReadResourceResult, ResourceTemplateType } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Outcome } from '../operations/define.ts';
import type { ToolEntry } from './tools.ts';

interface ResourceKind {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly uriTemplate: string;
  readonly pattern: RegExp;
  readonly mimeType: string;
  /** Tool whose operation reads it */
  readonly tool: string;
  readonly input: (parts: readonly string[]) => Readonly<Record<string, unknown>>;
  readonly content: (
    output: unknown,
    parts: readonly string[],
  ) => { readonly text: string } | { readonly blob: string };
}

const diffOutput = z.object({ patch: z.string() });
const logsOutput = z.object({ entries: z.array(z.object({ stdout: z.string(), stderr: z.string() })) });
const fileOutput = z.object({ content: z.string(), encoding: z.string() });
/** A host asked for the whole, so more than a tool's result carries, yet not without bound. */
const mostBytes = 1_048_576;

const kinds: readonly ResourceKind[] = [
  {
    name: 'workspace-diff',
    title: 'Changes of a workspace',
    description: 'Patch of everything that changed in /workspace since the seed, for git apply --binary',
    uriTemplate: 'pyro://workspaces/{id}/diff',
    pattern: /^pyro:\/\/workspaces\/([^/]+)\/diff$/,
    mimeType: 'text/x-diff',
    tool: 'workspace_diff',
    input: ([id]) => ({ workspace_id: id, max_bytes: mostBytes }),
    content: (output) => ({ text: diffOutput.parse(output).patch }),
  },
  {
    name: 'workspace-log',
    title: 'Output of a command',
    description: 'Output of a command of a workspace; stream is stdout or stderr',
    uriTemplate: 'pyro://workspaces/{id}/logs/{sequence}/{stream}',
    pattern: /^pyro:\/\/workspaces\/([^/]+)\/logs\/(\d+)\/(stdout|stderr)$/,
    mimeType: 'text/plain',
    tool: 'workspace_logs',
    input: ([id, sequence, stream]) => ({
      workspace_id: id,
      sequence: Number(sequence),
      stream,
      cursor: 0,
      limit: mostBytes,
    }),
    content: (output, [, , stream]) => {
      const entry = logsOutput.parse(output).entries[0];
      return { text: (stream === 'stderr' ? entry?.stderr : entry?.stdout) ?? '' };
    },
  },
  {
    name: 'workspace-file',
    title: 'File of a workspace',
    description: 'File of a workspace, by its path under /workspace',
    uriTemplate: 'pyro://workspaces/{id}/files/{+path}',
    pattern: /^pyro:\/\/workspaces\/([^/]+)\/files\/(.+)$/,
    mimeType: 'application/octet-stream',
    tool: 'workspace_file_read',
    input: ([id, path]) => ({ workspace_id: id, path, max_bytes: mostBytes }),
    content: (output) => {
      const { content, encoding } = fileOutput.parse(output);
      return encoding === 'base64' ? { blob: content } : { text: content };
    },
  },
];

/** Templates whose tool the server has. */
export function resourceTemplates(tools: readonly ToolEntry[]): ResourceTemplateType[] {
  return kinds
    .filter(({ tool }) => tools.some(({ name }) => name === tool))
    .map(({ name, title, description, uriTemplate, mimeType }) => ({
      name,
      title,
      description,
      uriTemplate,
      mimeType,
    }));
}

export interface ResourceCall {
  readonly entry: ToolEntry;
  readonly input: Readonly<Record<string, unknown>>;
  readonly result: (outcome: Outcome) => ReadResourceResult;
}

/** What to call for an address, or undefined when it is of no kind that the server has. */
export function resourceCall(uri: string, tools: readonly ToolEntry[]): ResourceCall | undefined {
  for (const kind of kinds) {
    const match = kind.pattern.exec(uri);
    const entry = tools.find(({ name }) => name === kind.tool);
    if (match === null || entry === undefined) continue;
    const parts = match.slice(1).map(decode);
    return {
      entry,
      input: kind.input(parts),
      result: ({ output }) => {
        const content = kind.content(output, parts);
        const mimeType = 'text' in content && kind.tool === 'workspace_file_read' ? 'text/plain' : kind.mimeType;
        return { contents: [{ uri, mimeType, ...content }] };
      },
    };
  }
  return undefined;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // A lone percent sign stands for itself.
    return part;
  }
}
