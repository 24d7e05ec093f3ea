// The environment that fits a project, by the files that lie at its top.
import { readdir } from 'node:fs/promises';

export interface EnvironmentChoice {
  readonly environment: string;
  readonly reason: string;
}

/** In the order of what decides a build; the first that is there wins. */
const marks: readonly { readonly files: readonly string[]; readonly environment: string }[] = [
  { files: ['package-lock.json', 'pnpm-lock.yaml', 'yarn.lock', 'bun.lock'], environment: 'node:24' },
  { files: ['go.mod'], environment: 'golang:1' },
  { files: ['Cargo.toml'], environment: 'rust:1' },
  { files: ['pyproject.toml', 'requirements.txt', 'uv.lock', 'poetry.lock'], environment: 'python:3.13' },
  { files: ['CMakeLists.txt', 'Makefile'], environment: 'debian:12-build' },
];
const otherwise = 'debian:12';

export async function chooseEnvironment(project: string | undefined): Promise<EnvironmentChoice> {
  if (project === undefined) return { environment: otherwise, reason: 'there is no project to go by' };
  const names = new Set(await readdir(project).catch(() => []));
  for (const { files, environment } of marks) {
    const found = files.find((file) => names.has(file));
    if (found !== undefined) return { environment, reason: `the project has ${found}` };
  }
  return { environment: otherwise, reason: 'no file in the project asks for another' };
}
