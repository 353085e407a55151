import { join } from "node:path";
import { cacheFolder } from "./cache.mjs";

/** uv's names for pip's settings about package sources. */
const NAMES: Record<string, string> = {
  "index-url": "UV_DEFAULT_INDEX",
  "extra-index-url": "UV_INDEX",
  "find-links": "UV_FIND_LINKS",
  "no-index": "UV_NO_INDEX",
  "trusted-host": "UV_INSECURE_HOST",
  cert: "SSL_CERT_FILE",
  proxy: "ALL_PROXY",
  timeout: "UV_HTTP_TIMEOUT",
  "default-timeout": "UV_HTTP_TIMEOUT",
};

/** pip's order of precedence for a setting, lowest first: global, `pip install`, environment. */
const PRECEDENCE = ["global", "install", ":env:"];

/**
 * uv ignores pip's configuration, without which many machines can't reach any package.
 *
 * @param pipConfig what `pip config list` prints, for instance `global.index-url='https://mirror.example/simple'`
 * @param env its own uv settings take precedence
 */
export function uvEnvironment(pipConfig: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const found: NodeJS.ProcessEnv = {};
  const lines = pipConfig.split("\n").flatMap((line) => {
    const [, section = "", name = "", value = ""] = /^(:env:|\w+)\.([\w-]+)='(.*)'$/.exec(line) ?? [];
    return PRECEDENCE.includes(section) && NAMES[name] !== undefined ? [{ section, variable: NAMES[name], value }] : [];
  });
  lines.sort((a, b) => PRECEDENCE.indexOf(a.section) - PRECEDENCE.indexOf(b.section));
  // In pip's files, each list item is on its own line.
  for (const { variable, value } of lines) found[variable] = value.replaceAll("\\n", " ").trim();
  return {
    ...found,
    // Like pip: use the best match of all indexes. The hashes say which files are allowed.
    UV_INDEX_STRATEGY: "unsafe-best-match",
    UV_NATIVE_TLS: "true",
    UV_CACHE_DIR: join(cacheFolder(env), "uv"),
    ...env,
  };
}
