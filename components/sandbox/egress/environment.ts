/** The port of the egress proxy on a sandbox's loopback. */
export const proxyPort = 3128;

const proxyUrl = `http://127.0.0.1:${proxyPort}`;
const direct = "localhost,127.0.0.1,::1";

/** Environment variables that make a sandbox's programs use the egress proxy. */
export const proxyVariables = {
  ...{ HTTP_PROXY: proxyUrl, HTTPS_PROXY: proxyUrl, ALL_PROXY: proxyUrl, NO_PROXY: direct },
  ...{ http_proxy: proxyUrl, https_proxy: proxyUrl, all_proxy: proxyUrl, no_proxy: direct },
  // Node's fetch ignores the other variables without this one.
  NODE_USE_ENV_PROXY: "1",
} as const;
