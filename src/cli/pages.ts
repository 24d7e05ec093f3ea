// A result whose text comes in pages: all of them are printed one after the other, and never held together.
import type { Outcome } from '../operations/define.ts';
import { PyroError } from '../shared/errors.ts';
import { writeTo } from '../shared/write-to.ts';
import { readVariable } from '../system/environment-variables.ts';
import type { CommandCall } from './command.ts';
import { openPager } from './pager.ts';
import { PatchView } from './patch-view.ts';
import { printCommand } from './print.ts';
import { isTerminal, writeContent, writeNote } from './terminal.ts';

/** Gives the page at a cursor. */
export type NextPage = (cursor: string) => Promise<Outcome>;

/** True for a call that wants all pages: who gives a cursor or a size of his own wants one. */
export function wantsAllPages({ operation, input }: CommandCall): boolean {
  const { pages } = operation.definition;
  return pages?.single.every((field) => input[field] === undefined) === true;
}

export async function printPages(
  call: CommandCall,
  first: Outcome,
  nextPage: NextPage,
  signal: AbortSignal,
): Promise<void> {
  const { pages } = call.operation.definition;
  if (pages === undefined) throw new Error(`${call.operation.definition.name} has no pages`);
  const texts = textsOf(first, pages, nextPage);
  if (!call.json && pages.isPatch === true && isTerminal('stdout') && first.output[pages.text] !== '') {
    await showPatch(texts, signal);
    writeNote(first.command().stderr ?? '');
    return;
  }
  if (!call.json) {
    await printCommand(first.command(), call.wantsRawTerminal, signal);
    // The first one stands in the command's own text.
    await texts.next();
    for await (const text of texts) await writeContent(text, call.wantsRawTerminal, signal);
    return;
  }
  const mark = `page-${crypto.randomUUID()}`;
  const whole = JSON.stringify({ ...first.output, [pages.text]: mark, [pages.next]: null }, null, 2);
  const [head = '', tail = ''] = whole.split(mark);
  await writeContent(head, false, signal);
  for await (const text of texts) await writeContent(JSON.stringify(text).slice(1, -1), false, signal);
  await writeContent(`${tail}\n`, false, signal);
}

async function showPatch(texts: AsyncIterable<string>, signal: AbortSignal): Promise<void> {
  const view = new PatchView(readVariable('NO_COLOR') === undefined);
  const pager = await openPager();
  try {
    for await (const text of texts) await writeTo(pager.sink, view.take(text), signal);
    await writeTo(pager.sink, view.end(), signal);
  } finally {
    // The terminal belongs to the pager until the person has left it.
    await pager.end();
  }
}

async function* textsOf(
  first: Outcome,
  { text, next }: { readonly text: string; readonly next: string },
  nextPage: NextPage,
): AsyncGenerator<string> {
  for (let page = first; ; ) {
    const part = page.output[text];
    if (typeof part !== 'string') throw new PyroError('internal', `a page without its ${text}`);
    yield part;
    const cursor = page.output[next];
    if (typeof cursor !== 'string') return;
    page = await nextPage(cursor);
  }
}
