// The MCP server: which request is answered by what. Everything about operations comes from their definitions.
import {
  type CallToolResult,
  CLIENT_INFO_META_KEY,
  type InputRequiredResult,
  isInputRequiredResult,
  ProtocolError,
  ProtocolErrorCode,
  type ReadResourceResult,
  ResourceNotFoundError,
  Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { PyroError, reportError } from '../shared/errors.ts';
import { type Audience, audienceOf } from './audience.ts';
import { cachedEnvironments } from './cached-environments.ts';
import { callTool, needsProject } from './call.ts';
import { instructionsFor } from './instructions.ts';
import { startProgress } from './progress.ts';
import { getPrompt, listPrompts } from './recipes.ts';
import { resourceCall, resourceTemplates } from './resources.ts';
import { errorResult } from './result.ts';
import { createRoots, type Roots } from './roots.ts';
import type { ServerState } from './server-state.ts';
import { shownTool } from './tools.ts';

/** Builds the server of one connection, without touching anything. */
export function createServer(state: ServerState): Server {
  const { tools, options, version } = state;
  const server = new Server(
    { name: 'pyro', title: 'pyro: disposable Linux computers', version },
    {
      capabilities: { tools: {}, prompts: {}, resources: {} },
      instructions: instructionsFor(options, tools, cachedEnvironments(state.paths.cache)),
      // Only for elicitation, which this server does not use: the default would build a compiler of schemas at each start.
      jsonSchemaValidator: {
        getValidator: () => () => ({ valid: false, data: undefined, errorMessage: 'no elicitation here' }),
      },
    },
  );
  const roots = createRoots(server);
  server.setNotificationHandler('notifications/roots/list_changed', () => roots.forget());
  const audience = (context: ServerContext): Audience => audienceOf(options, clientName(server, context));
  server.setRequestHandler('tools/list', (_request, context) => {
    const reader = audience(context);
    state.expectCalls();
    return { tools: tools.map((entry) => shownTool(entry, reader)) };
  });
  server.setRequestHandler('tools/call', ({ params }, context) =>
    handleCall(state, roots, params.name, params.arguments ?? {}, audience(context), context),
  );
  server.setRequestHandler('prompts/list', () => ({ prompts: listPrompts() }));
  server.setRequestHandler('prompts/get', ({ params }) => {
    const prompt = getPrompt(params.name, params.arguments?.['task'], tools);
    if (prompt !== undefined) return prompt;
    const names = listPrompts().map(({ name }) => name);
    throw new ProtocolError(
      ProtocolErrorCode.InvalidParams,
      `no prompt ${params.name}; there are: ${names.join(', ')}`,
    );
  });
  server.setRequestHandler('resources/list', () => ({ resources: [] }));
  server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: resourceTemplates(tools) }));
  server.setRequestHandler('resources/read', ({ params }, context) => readResource(state, params.uri, context));
  return server;
}

async function handleCall(
  state: ServerState,
  roots: Roots,
  name: string,
  args: Readonly<Record<string, unknown>>,
  audience: Audience,
  context: ServerContext,
): Promise<CallToolResult | InputRequiredResult> {
  const entry = state.tools.find((each) => each.name === name);
  if (entry === undefined) {
    const error = new PyroError('tool_unknown', `there is no tool ${name}`, {
      hint: `tools of this server: ${state.tools.map((each) => each.name).join(', ')}`,
    });
    return errorResult(reportError(error, state.words));
  }
  const asked = needsProject(entry, state) && asksForRoots(state) ? await roots.ask(context) : [];
  if (isInputRequiredResult(asked)) return asked;
  const { signal, _meta: meta, notify } = context.mcpReq;
  const token = meta?.progressToken;
  using ticker = startProgress(
    token === undefined
      ? undefined
      : (progress, message) =>
          notify({ method: 'notifications/progress', params: { progressToken: token, progress, message } }),
  );
  return await callTool(state, { entry, args, audience, signal, onProgress: ticker.onProgress, roots: asked });
}

const envelopeSchema = z.looseObject({ [CLIENT_INFO_META_KEY]: z.looseObject({ name: z.string() }) });

/** By the handshake, or since revision 2026-07-28 by what comes with each request. */
function clientName(server: Server, { mcpReq }: ServerContext): string | undefined {
  const sent = envelopeSchema.safeParse(mcpReq.envelope);
  return sent.success ? sent.data[CLIENT_INFO_META_KEY].name : server.getClientVersion()?.name;
}

/** What a flag decides is not asked of the host. */
function asksForRoots({ options }: ServerState): boolean {
  return options.project_path === undefined && options.repo_url === undefined && !options.no_project_source;
}

async function readResource(state: ServerState, uri: string, context: ServerContext): Promise<ReadResourceResult> {
  const call = resourceCall(uri, state.tools);
  if (call === undefined) throw new ResourceNotFoundError(uri);
  try {
    const outcome = await state.invoke(await state.operation(call.entry.facts.operation), call.input, {
      io: undefined,
      signal: context.mcpReq.signal,
      onProgress: () => undefined,
      hostPaths: { folders: [] },
      project: undefined,
      network: { policy: 'off', allow: [], packageSources: 'none' },
    });
    return call.result(outcome);
  } catch (error) {
    const { code, message, hint } = reportError(error, state.words);
    if (code === 'internal') state.log.fault('resource_failed', error, { uri });
    const kind = code === 'internal' ? ProtocolErrorCode.InternalError : ProtocolErrorCode.InvalidParams;
    throw new ProtocolError(kind, `${code}: ${message}${hint === null ? '' : `\nhint: ${hint}`}`);
  }
}
