import { createHash } from "node:crypto";
import * as z from "zod/mini";
import { canonicalJson } from "../../canonical-json.ts";
import type { InstallationPaths } from "../../installation-paths.ts";
import { installedDrift, writeInstalled } from "../../installed-file.ts";
import { configPath, type ForwardingConfig, forwardingConfig } from "./program/config.ts";

const installed = z.looseObject({ digest: z.string() });

/** @throws when the server could not use it */
export function writeForwardingConfig(paths: InstallationPaths, config: ForwardingConfig): void {
  const checked = forwardingConfig.parse(config);
  writeInstalled(configPath(paths.forwarding), { ...checked, digest: digestOf(checked) });
}

/** How the installed config differs from what was installed, in words; undefined when it does not. */
export function forwardingConfigDrift(paths: InstallationPaths): string | undefined {
  return installedDrift(configPath(paths.forwarding), "config", (content) => {
    const parsed = installed.safeParse(content);
    if (!parsed.success) return false;
    const { digest, ...config } = parsed.data;
    return digest === digestOf(config);
  });
}

function digestOf(config: object): string {
  return createHash("sha256").update(canonicalJson(config)).digest("hex").slice(0, 16);
}
