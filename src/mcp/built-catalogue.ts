// The catalogue of tools that the bundler puts here; a checkout that runs its sources has none and makes it at each start.
import type { ToolFacts } from './catalogue.ts';

export const builtCatalogue: readonly ToolFacts[] | undefined = undefined;
