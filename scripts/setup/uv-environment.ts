import { join } from "node:path";
import { cacheFolder } from "./cache.mjs";

/** How uv names what pip's configuration may say about where packages come from. */
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

/** Which of a setting's values pip takes: the environment's before that of `pip install`, before that of all of pip. */
const PRECEDENCE = ["global", "install", ":env:"];

/**
 * uv doesn't read pip's configuration, which on many machines says how packages can be had at all.
 *
 * @param pipConfig what `pip config list` prints, for instance `global.index-url='https://mirror.example/simple'`
 * @param env what it says for uv itself counts more
 */
export function uvEnvironment(pipConfig: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const found: NodeJS.ProcessEnv = {};
  const lines = pipConfig.split("\n").flatMap((line) => {
    const [, section = "", name = "", value = ""] = /^(:env:|\w+)\.([\w-]+)='(.*)'$/.exec(line) ?? [];
    return PRECEDENCE.includes(section) && NAMES[name] !== undefined ? [{ section, variable: NAMES[name], value }] : [];
  });
  lines.sort((a, b) => PRECEDENCE.indexOf(a.section) - PRECEDENCE.indexOf(b.section));
  // A list is on lines of its own in pip's files.
  for (const { variable, value } of lines) found[variable] = value.replaceAll("\\n", " ").trim();
  return {
    ...found,
    // Like pip: the best of all indexes; the hashes say which files may come from any of them.
    UV_INDEX_STRATEGY: "unsafe-best-match",
    UV_NATIVE_TLS: "true",
    UV_CACHE_DIR: join(cacheFolder(env), "uv"),
    ...env,
  };
}
