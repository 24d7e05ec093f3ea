// stub
export const pushFiles = async (..._args: unknown[]): Promise<never> => {
  throw new Error('stub');
};
