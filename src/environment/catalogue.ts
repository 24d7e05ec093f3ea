// The catalogue: names that need no registry knowledge, and the public image behind each.
import { mebibyte } from '../shared/units.ts';

export interface CatalogueEntry {
  readonly name: string;
  /** Image that serves the name; undefined where no public one has all of it, so that packages alone do */
  readonly reference: string | undefined;
  readonly description: string;
  /** Debian packages of an environment that can also be built without a registry */
  readonly packages: readonly string[] | undefined;
  /** What is done in the tree once the packages stand there, lines for `sh` whose `$1` is the tree */
  readonly finish?: readonly string[];
  /** Variables of the built environment besides PATH, `NAME=value` */
  readonly env?: readonly string[];
  /** Download from a registry, roughly, `bytes` */
  readonly approximateBytes: number;
}

/** Debian release of the environments that are built from packages */
export const packageSuite = 'bookworm';
/** What stands in place of an image's reference then */
export const packagesReference = `packages:${packageSuite}`;

const buildPackages = [
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
  'python3-pip',
  'python3-venv',
] as const;

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
    // buildpack-deps has neither pip nor venv; this is the same with a Python that has both.
    reference: 'docker.io/library/python:3.13-bookworm',
    description: 'Debian 12 with git, gcc, make, pkg-config, python3 with venv and pip',
    packages: buildPackages,
    approximateBytes: 400 * mebibyte,
  },
  {
    name: 'debian:12-dev',
    reference: undefined,
    description: 'debian:12-build with node, npm, pipx, rg, fd, jq, gdb, strace, sqlite3 …',
    packages: [
      ...buildPackages,
      'fd-find',
      'file',
      'gdb',
      'iproute2',
      'jq',
      'less',
      'locales',
      'lsof',
      'nodejs',
      'npm',
      'pipx',
      'ripgrep',
      'rsync',
      'sqlite3',
      'strace',
      'tree',
      'unzip',
      'vim-tiny',
      'zip',
    ],
    finish: [
      // Debian has another program of the name fd.
      'ln -s ../../bin/fdfind "$1/usr/local/bin/fd"',
      'chroot "$1" localedef -i en_US -f UTF-8 en_US.UTF-8',
    ],
    env: ['LANG=C.UTF-8'],
    approximateBytes: 300 * mebibyte,
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
