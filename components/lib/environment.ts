/**
 * The environment of mngr, and of every other process that is started for an agent: these variables and no others. An
 * agent sees everything that mngr sees, so none of them is a secret.
 */
const allowed = new Set([
  ...["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "TMPDIR", "TMUX_TMPDIR"],
  ...["SSH_AUTH_SOCK", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"],
  ...["DBUS_SESSION_BUS_ADDRESS", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"],
  ...["CURL_CA_BUNDLE", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_SSL_CAINFO"],
  ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"],
  ...["MNGR_HOST_DIR", "MNGR_ROOT_NAME", "MNGR_PREFIX", "MNGR_USER_ID", "MNGR_PROJECT_CONFIG_DIR"],
  ...["MNGR_ALLOW_UNKNOWN_CONFIG", "IS_SANDBOX"],
]);

/** Overrides of mngr's settings, except credentials. */
const isSetting = (name: string) => /^MNGR__/.test(name) && !/TOKEN|SECRET|PASSWORD|KEY/.test(name);

/**
 * What setup reads besides, where a program has it install something: where its cache is, npm's settings, and compiled
 * code with which it starts faster. npm's settings may contain credentials, so no other program gets them.
 */
export const isSetupVariable = (name: string): boolean =>
  /^(npm_config_.*|CHANGELINGS_CACHE|NODE_COMPILE_CACHE)$/i.test(name);

export function allowedEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      value !== undefined && (allowed.has(name) || isSetting(name)) ? [[name, value]] : [],
    ),
  );
}
