// The certificates that this machine trusts: where its traffic is inspected, nothing in a guest connects without them.
import type { Findings } from './package-findings.ts';
import type { HostSettings } from './package-settings.ts';

/** Where distributions keep all of them in one file */
const systemBundles = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem'];

/** Variables by which programs are told of such a file */
const variables = [
  'SSL_CERT_FILE',
  'NODE_EXTRA_CA_CERTS',
  'PIP_CERT',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'CARGO_HTTP_CAINFO',
];

/** Everything as one text; undefined where there is nothing. A file with a key in it stays here. */
export async function readCertificates(host: HostSettings): Promise<string | undefined> {
  const own = [host.variable('SSL_CERT_FILE'), host.variable('NODE_EXTRA_CA_CERTS')];
  const contents = new Set<string>();
  for (const path of [...systemBundles, ...own]) {
    const content = path === undefined ? undefined : (await host.read(path))?.toString('utf8');
    if (content?.includes('BEGIN CERTIFICATE') === true && !content.includes('PRIVATE KEY')) contents.add(content);
  }
  return contents.size === 0 ? undefined : [...contents].join('\n');
}

/** Gives them to the guest; the path there. */
export function handCertificates(found: Findings, certificates: string | undefined): string | undefined {
  if (certificates === undefined) return undefined;
  const path = found.file('certificates.pem', certificates);
  for (const name of variables) found.env[name] = path;
  return path;
}
