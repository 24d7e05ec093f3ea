// What settings of package managers come to: files and variables for a guest, what it may reach, and what is secret of it.
import { hostName } from './allow-rule.ts';
import { authorityOf } from './host-fetch.ts';
import { parseHost } from './target.ts';

export interface GuestFile {
  /** Absolute path in the guest */
  readonly path: string;
  readonly content: string | Buffer;
}

/** Folder of a guest, in its memory, for everything that is handed over */
export const packageFolder = '/run/pyro-packages';

/** Proxies of this machine as one package manager is told of them. */
export interface ProxyChoice {
  readonly http: string | undefined;
  readonly https: string | undefined;
  /** Names that go past them, as no_proxy has them */
  readonly direct: string | undefined;
}

/** A service on the loopback of this machine has another name in the guest. */
export function hostInGuest(hostname: string): string {
  return /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname) ? hostName : hostname;
}

export class Findings {
  readonly env: Record<string, string> = {};
  readonly files: GuestFile[] = [];
  readonly allow = new Set<string>();
  readonly routes = new Map<string, string>();
  readonly #secrets = new Set<string>();
  readonly #hasCredentials: boolean;
  readonly #usualProxies: ProxyChoice;

  constructor(hasCredentials: boolean, usualProxies: ProxyChoice) {
    this.#hasCredentials = hasCredentials;
    this.#usualProxies = usualProxies;
  }

  get hasCredentials(): boolean {
    return this.#hasCredentials;
  }

  /** Values that must not be shown of what the guest gets. */
  get secrets(): readonly string[] {
    return [...this.#secrets];
  }

  /** The URL as the guest can use it, with credentials only when those are handed over; its host becomes allowed. */
  url(text: string | undefined, proxies: Partial<ProxyChoice> = {}): string | undefined {
    if (text === undefined || !URL.canParse(text)) return undefined;
    const url = new URL(text);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
    if (!this.#hasCredentials) {
      url.username = '';
      url.password = '';
    }
    for (const part of url.password === '' ? [url.username] : [url.password]) this.secret(decodeURIComponent(part));
    url.hostname = hostInGuest(url.hostname);
    this.host(url, proxies);
    const isOpenEnded = text.endsWith('/') || !url.href.endsWith('/');
    return isOpenEnded ? url.href : url.href.slice(0, -1);
  }

  /** Allows the host of an address, through the proxy that this machine would take to it. */
  host(url: URL, proxies: Partial<ProxyChoice> = {}): void {
    if (!url.hostname.startsWith('[') && parseHost(url.hostname).kind === 'invalid') return;
    const authority = authorityOf(url);
    this.allow.add(authority);
    const proxy = this.proxyFor(url, proxies);
    if (proxy !== undefined) this.routes.set(authority, proxy);
  }

  /** Allows a host that a server has named: as long as it leads to public addresses, for a server is not the user. */
  hostOfServer(text: string): void {
    if (!URL.canParse(text)) return;
    const url = new URL(text);
    if (!/^https?:$/.test(url.protocol) || parseHost(url.hostname).kind !== 'name') return;
    const authority = authorityOf(url);
    if (this.allow.has(authority)) return;
    this.allow.add(`public ${authority}`);
    const proxy = this.proxyFor(url);
    if (proxy !== undefined) this.routes.set(authority, proxy);
  }

  proxyFor(url: URL, own: Partial<ProxyChoice> = {}): string | undefined {
    const usual = this.#usualProxies;
    if (url.hostname === hostName || goesDirect(url.hostname, own.direct ?? usual.direct)) return undefined;
    const proxy = url.protocol === 'https:' ? (own.https ?? usual.https) : (own.http ?? usual.http);
    return proxy === undefined || !URL.canParse(proxy) || !/^https?:/.test(proxy) ? undefined : proxy;
  }

  secret(value: string): void {
    if (value !== '') this.#secrets.add(value);
  }

  file(name: string, content: string | Buffer): string {
    const path = `${packageFolder}/${name}`;
    this.files.push({ path, content });
    return path;
  }
}

/** As curl reads no_proxy: names and what is below them, with a dot in front or without, or `*` for all. */
function goesDirect(host: string, direct: string | undefined): boolean {
  const entries = (direct ?? '').split(/[\s,]+/).filter((entry) => entry !== '');
  return entries.some((entry) => {
    const name = entry
      .toLowerCase()
      .replace(/^\*?\./, '')
      .replace(/:\d+$/, '');
    return entry === '*' || host === name || host.endsWith(`.${name}`);
  });
}
