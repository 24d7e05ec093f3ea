// stub
export const summarize = async (..._args: unknown[]): Promise<never> => {
  throw new Error('stub');
};
