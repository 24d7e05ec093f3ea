// stub
export const applyPatchTo = async (..._args: unknown[]): Promise<never> => {
  throw new Error('stub');
};
export const diffWorkspace = async (..._args: unknown[]): Promise<never> => {
  throw new Error('stub');
};
export const exportWorkspace = async (..._args: unknown[]): Promise<never> => {
  throw new Error('stub');
};
