/** The port of the egress proxy on a sandbox's loopback. */
export const proxyPort = 3128;

const proxyUrl = `http://127.0.0.1:${proxyPort}`;
const direct = "localhost,127.0.0.1,::1";

/** The path of the egress proxy's own address at which its broker answers. */
export const brokerPath = "/model";

/** The base URL of a brokered API in a sandbox. It is reached directly, without a proxy, because it is on loopback. */
export const brokerUrl = `${proxyUrl}${brokerPath}`;

/** Environment variables that make a sandbox's programs use the egress proxy. */
export const proxyVariables = {
  ...{ HTTP_PROXY: proxyUrl, HTTPS_PROXY: proxyUrl, ALL_PROXY: proxyUrl, NO_PROXY: direct },
  ...{ http_proxy: proxyUrl, https_proxy: proxyUrl, all_proxy: proxyUrl, no_proxy: direct },
  // Node's fetch ignores the other variables without this one.
  NODE_USE_ENV_PROXY: "1",
} as const;

/**
 * The path of a request to the broker, as its program sends it directly or, if it has other settings, through the proxy.
 *
 * @param url the target of a request to the proxy
 * @returns undefined if it is a request to something else
 */
export function brokerPathOf(url: string): string | undefined {
  const path = url.startsWith(`${proxyUrl}/`) ? url.slice(proxyUrl.length) : url;
  return path.startsWith(`${brokerPath}/`) ? path : undefined;
}
