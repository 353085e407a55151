import type { Environment } from "./errors.ts";

/** The variables that a CLI needs to run and to reach the network. None is secret. */
const general = [
  ...["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"],
  ...["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"],
  ...["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR"],
  ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"],
];

/**
 * A CLI's whole environment: the variables that it needs to run, the named ones, and `others` as given. An empty value
 * counts as none.
 */
export function cliEnvironment(env: Environment, names: readonly string[], others: Environment) {
  const passed = [...general, ...names].map((name) => [name, env[name]] as const);
  return Object.fromEntries(
    [...passed, ...Object.entries(others)].flatMap(([name, value]) => (value ? [[name, value]] : [])),
  );
}
