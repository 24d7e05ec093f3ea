// Image references as Docker reads them: `alpine` is docker.io/library/alpine:latest.
import { PyroError } from '../shared/errors.ts';

export interface ImageReference {
  /** Host and port as written, such as docker.io or localhost:5000 */
  readonly registry: string;
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
  /** The whole reference with its defaults filled in */
  readonly canonical: string;
}

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const pattern = new RegExp(
  `^(${component}(?:/${component})*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$`,
);
const hostPattern = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;

/** Throws `reference_invalid`. */
export function parseReference(text: string): ImageReference {
  const slash = text.indexOf('/');
  const first = slash < 0 ? '' : text.slice(0, slash);
  const hasHost = first === 'localhost' || /[.:]/.test(first);
  const registry = hasHost ? first : 'docker.io';
  const rest = hasHost ? text.slice(slash + 1) : text;
  const match = pattern.exec(rest);
  if (match?.[1] === undefined || text.length > 512 || !hostPattern.test(registry)) {
    throw new PyroError('reference_invalid', `not an image reference: ${JSON.stringify(text.slice(0, 120))}`, {
      hint: 'examples: debian:12, alpine, docker.io/library/node:24, localhost:5000/app@sha256:…; pyro env list shows the catalogue',
    });
  }
  const [, path, tag, digest] = match;
  const repository = registry === 'docker.io' && !path.includes('/') ? `library/${path}` : path;
  const effectiveTag = tag ?? (digest === undefined ? 'latest' : undefined);
  const canonical = `${registry}/${repository}${effectiveTag === undefined ? '' : `:${effectiveTag}`}${digest === undefined ? '' : `@${digest}`}`;
  return { registry, repository, tag: effectiveTag, digest, canonical };
}

/** Where the registry's interface is; loopback registries speak plain HTTP. */
export function registryOrigin(registry: string): string {
  if (registry === 'docker.io' || registry === 'index.docker.io') return 'https://registry-1.docker.io';
  return `${isLoopback(registry) ? 'http' : 'https'}://${registry}`;
}

/** True for a host, with or without a port, that is this machine for certain. */
export function isLoopback(hostAndPort: string): boolean {
  const host = hostAndPort.replace(/:\d+$/, '');
  return host === 'localhost' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host) || host === '[::1]';
}
