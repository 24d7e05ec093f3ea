// A JSON text that does not parse, fixed by punctuation alone: no word that the user wrote is taken away.
import { type Node, type ParseError, type ParseOptions, parseTree, printParseErrorCode } from 'jsonc-parser';

const mostSteps = 50;

/** Undefined when commas, brackets and comments are not all that is wrong. */
export function mendJson(text: string, options: ParseOptions): string | undefined {
  let next = text;
  for (let step = 0; step < mostSteps; step++) {
    const errors: ParseError[] = [];
    const root = parseTree(next, errors, options);
    const error = errors[0];
    if (error === undefined) return root?.type === 'object' && isLaidOutAsRead(next, root) ? next : undefined;
    const mended = mendFirst(next, error);
    if (mended === undefined) return undefined;
    next = mended;
  }
  return undefined;
}

function mendFirst(text: string, { error, offset, length }: ParseError): string | undefined {
  const insert = (mark: string): string => {
    // Behind the word before it, not behind the comment that follows that.
    const end = blankComments(text.slice(0, offset)).trimEnd().length;
    return text.slice(0, end) + mark + text.slice(end);
  };
  const cut = (from: number, to: number): string => text.slice(0, from) + text.slice(to);
  switch (printParseErrorCode(error)) {
    case 'CommaExpected':
      return insert(',');
    case 'ColonExpected':
      return insert(':');
    case 'CloseBraceExpected':
      return insert('}');
    case 'CloseBracketExpected':
      return insert(']');
    case 'InvalidCommentToken':
      return cut(offset, offset + length);
    case 'PropertyNameExpected':
    case 'ValueExpected': {
      // A comma too many: the one before, or the one where something was expected.
      if (text.slice(offset, offset + length) === ',') return cut(offset, offset + length);
      const before = blankComments(text.slice(0, offset)).trimEnd();
      return before.endsWith(',') ? cut(before.length - 1, before.length) : undefined;
    }
    case 'EndOfFileExpected':
      return /^[\s}\],]*$/.test(text.slice(offset)) ? `${text.slice(0, offset).trimEnd()}\n` : undefined;
    default:
      return undefined;
  }
}

/**
 * A bracket that is missing in the middle makes every bracket behind it close the wrong object, and all the text parses once
 * one is added at the end. The layout tells: a bracket at the start of a line stands below the line that it closes.
 */
function isLaidOutAsRead(text: string, node: Node): boolean {
  const isContainer = node.type === 'object' || node.type === 'array';
  if (isContainer && !isClosedBelowStart(text, node.offset, node.offset + node.length - 1)) return false;
  return (node.children ?? []).every((child) => isLaidOutAsRead(text, child));
}

function isClosedBelowStart(text: string, open: number, close: number): boolean {
  const before = text.slice(text.lastIndexOf('\n', close - 1) + 1, close);
  if (before.trim() !== '' || !text.slice(open, close).includes('\n')) return true;
  const line = text.slice(text.lastIndexOf('\n', open) + 1);
  return /^[ \t]*/.exec(line)?.[0] === before;
}

/** Of the same length, so that offsets hold. */
function blankComments(text: string): string {
  return text.replaceAll(/"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (part) =>
    part.startsWith('"') ? part : ' '.repeat(part.length),
  );
}
