// All recipes, in the order in which they are run.
import { coldStartValidation } from './cold-start-validation.ts';
import { parallelWorkspaces } from './parallel-workspaces.ts';
import type { Recipe } from './recipe.ts';
import { reproFixLoop } from './repro-fix-loop.ts';
import { reviewEval } from './review-eval.ts';
import { untrustedInspection } from './untrusted-inspection.ts';

export const recipes: readonly Recipe[] = [
  coldStartValidation,
  reproFixLoop,
  parallelWorkspaces,
  untrustedInspection,
  reviewEval,
];
