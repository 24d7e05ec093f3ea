// The catalogue: names that need no registry knowledge, and the public image behind each.
import { mebibyte } from '../shared/units.ts';

export interface CatalogueEntry {
  readonly name: string;
  /** Image that serves the name */
  readonly reference: string;
  readonly description: string;
  /** Debian packages of an environment that can also be built without a registry */
  readonly packages: readonly string[] | undefined;
  /** Download from a registry, roughly, `bytes` */
  readonly approximateBytes: number;
}

export const catalogue: readonly CatalogueEntry[] = [
  {
    name: 'debian:12',
    reference: 'docker.io/library/buildpack-deps:bookworm-scm',
    description: 'Debian 12 with git, ssh and curl',
    packages: ['ca-certificates', 'curl', 'git', 'openssh-client', 'procps'],
    approximateBytes: 125 * mebibyte,
  },
  {
    name: 'debian:12-base',
    reference: 'docker.io/library/debian:bookworm',
    description: 'Debian 12, bare',
    packages: [],
    approximateBytes: 50 * mebibyte,
  },
  {
    name: 'debian:12-build',
    reference: 'docker.io/library/buildpack-deps:bookworm',
    description: 'Debian 12 with git, gcc, make, cmake, python3 and pkg-config',
    packages: [
      'ca-certificates',
      'cmake',
      'curl',
      'g++',
      'gcc',
      'git',
      'make',
      'openssh-client',
      'pkg-config',
      'procps',
      'python3',
    ],
    approximateBytes: 350 * mebibyte,
  },
  {
    name: 'node:24',
    reference: 'docker.io/library/node:24',
    description: 'Node.js 24 on Debian',
    packages: undefined,
    approximateBytes: 400 * mebibyte,
  },
  {
    name: 'python:3.13',
    reference: 'docker.io/library/python:3.13',
    description: 'Python 3.13 on Debian',
    packages: undefined,
    approximateBytes: 400 * mebibyte,
  },
  {
    name: 'golang:1',
    reference: 'docker.io/library/golang:1',
    description: 'Go 1 on Debian',
    packages: undefined,
    approximateBytes: 310 * mebibyte,
  },
  {
    name: 'rust:1',
    reference: 'docker.io/library/rust:1',
    description: 'Rust 1 on Debian',
    packages: undefined,
    approximateBytes: 580 * mebibyte,
  },
];

export function findEntry(name: string): CatalogueEntry | undefined {
  return catalogue.find((entry) => entry.name === name);
}
