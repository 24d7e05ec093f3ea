// Results of calls: text alone where a model reads what is mostly text, else the text and what is news as structure.
import type { CallToolResult } from '@modelcontextprotocol/server';
import type { Outcome } from '../operations/define.ts';
import type { ErrorReport } from '../shared/errors.ts';
import type { Audience } from './audience.ts';
import type { ToolFacts } from './catalogue.ts';
import { leanOutput } from './lean.ts';
import { notesField } from './tools.ts';

/** Longest text of a failed call, as a multiple of its message and hint */
const mostAround = 1.2;

/** Where programs find the report of a failed call; hosts show it to no model. */
const errorKey = 'pyro/error';

export function successResult(
  { output, text }: Outcome,
  notes: readonly string[],
  facts: ToolFacts,
  audience: Audience,
): CallToolResult {
  const remarks = notes.map((note) => `note: ${note}\n`).join('');
  const content: CallToolResult['content'] = [{ type: 'text', text: `${remarks}${text}` }];
  if (audience === 'model' && facts.tool.isData !== true) return { content };
  const structure = leanOutput(facts, output);
  return { content, structuredContent: notes.length === 0 ? structure : { ...structure, [notesField]: [...notes] } };
}

/**
 * A failed call, said once. Not in the structure: clients that check it against the output schema even when a call has
 * failed would show their own complaint in place of this error.
 */
export function errorResult(report: ErrorReport): CallToolResult {
  return { isError: true, content: [{ type: 'text', text: errorText(report) }], _meta: { [errorKey]: { ...report } } };
}

/** The message and what to do next. Around them stands as much as is in proportion: the code of a short one is for programs. */
export function errorText({ code, message, hint }: ErrorReport): string {
  const next = hint === null ? '' : `\n${hint}`;
  const forms = [
    `error ${code}: ${message}${hint === null ? '' : `\nhint: ${hint}`}`,
    `${code}: ${message}${next}`,
    `${message}${next}`,
  ];
  const most = mostAround * (message.length + (hint ?? '').length);
  return forms.find((form) => form.length <= most) ?? `${message}${next}`;
}
