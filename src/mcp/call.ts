// One call of a tool: arguments completed and checked, the operation run, the outcome or the error as a result.
import { join } from 'node:path';
import type { CallToolResult } from '@modelcontextprotocol/server';
import type { FrontContext } from '../daemon/client.ts';
import { parseInput } from '../operations/check-input.ts';
import type { AnyOperation } from '../operations/define.ts';
import { forgiveInput } from '../operations/forgive-input.ts';
import { absolutePath, absolutePaths } from '../operations/host-path-input.ts';
import { isPyroError, PyroError, reportError } from '../shared/errors.ts';
import { hintCall } from '../shared/hint-words.ts';
import type { HostPathPolicy } from '../shared/policy-types.ts';
import type { OnProgress } from '../shared/progress.ts';
import { readSettings, settingsPath } from '../system/settings-file.ts';
import type { Audience } from './audience.ts';
import type { Project } from './project.ts';
import { errorResult, successResult } from './result.ts';
import { invokeTwice } from './second-try.ts';
import type { ServerState } from './server-state.ts';
import { defaultWayOut, type ToolEntry } from './tools.ts';
import { capWait, waitingSignal } from './waits.ts';

const sizeFields: readonly string[] = ['vcpu_count', 'mem_mib', 'disk_mib', 'ttl_seconds'];

export interface CallRequest {
  readonly entry: ToolEntry;
  readonly args: Readonly<Record<string, unknown>>;
  readonly audience: Audience;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
  /** Folders that the host names; asked only when needed */
  readonly roots: readonly string[];
}

/** True when a call cannot be made without knowing where the project lies. */
export function needsProject({ facts, inputSchema }: ToolEntry, state: ServerState): boolean {
  if (facts.hostPathFields.length > 0) return true;
  return state.options.environment === 'auto' && inputSchema.properties['environment'] !== undefined;
}

/** Never throws: an error is a result, since that is all that a model sees. */
export async function callTool(state: ServerState, request: CallRequest): Promise<CallToolResult> {
  try {
    return await withinGuard(state, run(state, request));
  } catch (error) {
    const report = reportError(error, state.words);
    if (report.code !== 'internal' || isPyroError(error)) return errorResult(report);
    state.log.fault('tool_failed', error, { tool: request.entry.name });
    return errorResult({ ...report, hint: `this is a fault in pyro; ${state.log.path} says where it happened` });
  }
}

async function run(state: ServerState, request: CallRequest): Promise<CallToolResult> {
  const { entry, args, signal, onProgress, roots } = request;
  const { options } = state;
  const project = needsProject(entry, state) ? await state.project(roots, onProgress) : undefined;
  const operation = await state.operation(entry.facts.operation);
  // First of all: what the server refuses or decides is known by its right name and value only.
  const forgiven = forgiveInput(operation, args);
  const capped = capWait(operation, forgiven.input, state.guardMs);
  const defaults = await sizesOf(operation, entry);
  const { input, notes } = complete(state, entry, { ...defaults, ...capped.input }, project);
  const context: FrontContext = {
    io: undefined,
    signal: waitingSignal(signal),
    onProgress,
    hostPaths: hostPathsOf(state, project),
    project: project?.source,
    network: {
      policy: options.network_policy,
      allow: options.allow,
      packageSources: options.package_sources,
    },
  };
  const isChosen = options.environment === 'auto' && forgiven.input['environment'] === undefined;
  const checked = parse(entry, operation, input);
  const { outcome, notes: later } = await invokeTwice(state, { operation, input: checked, context, isChosen });
  const all = [...forgiven.notes, ...capped.notes, ...notes, ...later];
  return successResult(outcome, all, entry.facts, request.audience);
}

/** What the user has set with `pyro config` of what a model may choose; the network is a matter of the server's options. */
async function sizesOf(
  operation: AnyOperation,
  { inputSchema }: ToolEntry,
): Promise<Readonly<Record<string, unknown>>> {
  if (operation.definition.settings === undefined) return {};
  const stored = await readSettings();
  // Loaded where something is set: a list of tools need not wait for all operations.
  if (Object.keys(stored).length === 0) return {};
  const { settingsFor } = await import('../operations/settings.ts');
  const all = Object.entries(settingsFor(operation, stored, settingsPath()));
  return Object.fromEntries(
    all.filter(([field]) => sizeFields.includes(field) && inputSchema.properties[field] !== undefined),
  );
}

/** The arguments with what the server gives: fixed ones, its defaults, absolute paths. */
function complete(
  state: ServerState,
  entry: ToolEntry,
  args: Readonly<Record<string, unknown>>,
  project: Project | undefined,
): { input: Readonly<Record<string, unknown>>; notes: readonly string[] } {
  for (const name of Object.keys(args)) {
    if (entry.refused.has(name) && args[name] === true) {
      throw new PyroError('usage', `${name} is not allowed by this server`, {
        hint: `the person who runs the server can allow it with --${name.replaceAll('_', '-')}`,
      });
    }
  }
  const { properties, required = [] } = entry.inputSchema;
  const isOpen = (name: string): boolean =>
    properties[name] !== undefined && !required.includes(name) && args[name] === undefined;
  const network = properties['network_policy'];
  const takesEnvironment = isOpen('environment');
  const environment = project?.environment ?? state.options.environment;
  const base = project?.source?.path ?? exportsFolder(state);
  return {
    input: {
      ...(takesEnvironment ? { environment } : {}),
      ...(isOpen('package_sources') ? { package_sources: state.options.package_sources } : {}),
      ...(network !== undefined && isOpen('network_policy')
        ? { network_policy: defaultWayOut(network, state.options) }
        : {}),
      ...args,
      ...absolutePaths(args, entry.facts.hostPathFields, base),
    },
    notes: takesEnvironment ? (project?.notes ?? []) : [],
  };
}

/** Checked input. An error names the arguments that this server shows, not those that it decides. */
function parse(
  entry: ToolEntry,
  operation: AnyOperation,
  input: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const given = Object.keys(input).filter(
    (name) => entry.fixed[name] !== undefined && input[name] !== entry.fixed[name],
  );
  if (given.length > 0) {
    throw new PyroError('usage', `${given.join(', ')} cannot be chosen in this server's mode`, {
      hint: `leave it out: it is ${given.map((name) => String(entry.fixed[name])).join(', ')}`,
    });
  }
  const { properties } = entry.inputSchema;
  const hidden = Object.keys(input).filter(
    (name) =>
      properties[name] === undefined &&
      (entry.facts.tool.hiddenFields ?? []).includes(name) &&
      entry.fixed[name] === undefined,
  );
  if (hidden.length > 0) {
    throw new PyroError('usage', `${entry.name}: ${hidden.join(', ')} cannot be given by a tool`, {
      hint: `it is for the person at the command line; arguments: ${Object.keys(properties).join(', ')}`,
    });
  }
  const whole = { ...input, ...entry.fixed };
  try {
    parseInput(operation, whole, Object.keys(entry.inputSchema.properties));
  } catch (error) {
    if (!isPyroError(error, 'usage') || error.details['expected'] === undefined) throw error;
    const { hint = '', details } = error;
    throw new PyroError('usage', `${entry.name}: ${error.message}`, { hint, details });
  }
  // The raw input: the daemon parses it once more, and what a schema changes must be changed once only.
  return whole;
}

function exportsFolder({ paths }: ServerState): string {
  return join(paths.state, 'exports');
}

function hostPathsOf(state: ServerState, project: Project | undefined): HostPathPolicy {
  const allowed = state.options.allow_path.map((path) => absolutePath(path, state.cwd));
  const source = project?.source?.path;
  return { folders: [...(source === undefined ? [] : [source]), ...allowed, exportsFolder(state)] };
}

/** Work that takes longer than hosts wait continues; the caller is told how to follow it. */
async function withinGuard(
  { guardMs: ms, words }: ServerState,
  work: Promise<CallToolResult>,
): Promise<CallToolResult> {
  const late = Promise.withResolvers<CallToolResult>();
  const timer = setTimeout(() => {
    late.resolve(
      errorResult(
        reportError(
          new PyroError(
            'still_running',
            `the call did not finish within ${Math.round(ms / 1000)} s; the work continues`,
            {
              hint: `check with ${hintCall('workspace.list')} in a while, then go on or call again`,
            },
          ),
          words,
        ),
      ),
    );
  }, ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
    // Its failure after the answer reaches nobody.
    work.catch(() => undefined);
  }
}
