/** Where the egress proxy is in a sandbox, on its loopback. */
export const proxyPort = 3128;

const proxyUrl = `http://127.0.0.1:${proxyPort}`;
const direct = "localhost,127.0.0.1,::1";

/** Environment variables that lead a sandbox's programs to the egress proxy. */
export const proxyVariables = {
  ...{ HTTP_PROXY: proxyUrl, HTTPS_PROXY: proxyUrl, ALL_PROXY: proxyUrl, NO_PROXY: direct },
  ...{ http_proxy: proxyUrl, https_proxy: proxyUrl, all_proxy: proxyUrl, no_proxy: direct },
  // Node's own fetch uses the others only with this.
  NODE_USE_ENV_PROXY: "1",
} as const;
