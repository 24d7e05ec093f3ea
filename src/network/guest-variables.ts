// Variables that lead programs of a guest to its proxy while the guest has a way out.

const proxy = 'http://127.0.0.1:3128';
/** The guest's own loopback never goes through the host */
const direct = 'localhost,127.0.0.1,::1,.localhost';

/** For every process of a guest whose network is on. A value that the caller gives goes before. */
export const guestVariables: Readonly<Record<string, string>> = {
  http_proxy: proxy,
  https_proxy: proxy,
  HTTP_PROXY: proxy,
  HTTPS_PROXY: proxy,
  ALL_PROXY: proxy,
  all_proxy: proxy,
  no_proxy: direct,
  NO_PROXY: direct,
};
