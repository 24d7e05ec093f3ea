// How the fields of an operation's input are called on the command line.

import { wordFormOf } from '../contract/word-forms.ts';
import type { AnyOperation } from '../operations/define.ts';
import { inWords, isPyroError, PyroError } from '../shared/errors.ts';
import { commandCall } from '../shared/hint-words.ts';
import { argumentName } from './arguments.ts';
import { flagOf, shapeOf } from './options.ts';

/** Gives `--network-policy` for `network_policy`, and `<workspace>` for what stands by position. */
export function optionNames({ definition }: AnyOperation): (field: string) => string {
  const { properties } = shapeOf(definition.input);
  return (field) => {
    if (definition.positionals.includes(field)) return `<${argumentName(field)}>`;
    if (field === definition.rest) return 'the command after --';
    const property = properties[field];
    const schema = definition.input.shape[field];
    if (property === undefined || schema === undefined) return field;
    return flagOf(field, wordFormOf(schema) === undefined ? property : { type: 'array' });
  };
}

/** A text that speaks of fields, in the words of the command line. Only names of several words are told from plain words. */
export function withOptionNames(operation: AnyOperation, text: string): string {
  const nameOf = optionNames(operation);
  const fields = Object.keys(operation.definition.input.shape);
  return text.replaceAll(/(?<![\w-])[a-z]+(?:_[a-z]+)+(?![\w-])/g, (word) =>
    fields.includes(word) ? nameOf(word) : word,
  );
}

/** An error in the words of the command line: the hint of any, and what is said of an input. */
export function inOptionWords(operation: AnyOperation, error: unknown): unknown {
  if (!isPyroError(error)) return error;
  const { code, message, hint, details } = inWords(error, commandCall);
  return new PyroError(code, code === 'usage' ? withOptionNames(operation, message) : message, {
    hint: hint === undefined ? undefined : withOptionNames(operation, hint),
    details,
    cause: error,
  });
}
