// The version, put in by the bundler from package.json; a checkout that runs its sources says so.
declare const PYRO_VERSION: string | undefined;

export const version: string = typeof PYRO_VERSION === 'string' ? PYRO_VERSION : 'source';
