import type { Environment } from "./errors.ts";

/** What a CLI needs of the environment to run at all, and to reach the network. None of it is secret. */
const general = [
  ...["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"],
  ...["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"],
  ...["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR"],
  ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"],
];

/**
 * A CLI's whole environment: what it needs to run, the named variables as they are, and those under other names. An empty
 * value counts as none.
 */
export function cliEnvironment(env: Environment, names: readonly string[], others: Environment) {
  const passed = [...general, ...names].map((name) => [name, env[name]] as const);
  return Object.fromEntries(
    [...passed, ...Object.entries(others)].flatMap(([name, value]) => (value ? [[name, value]] : [])),
  );
}
