import * as z from "zod/mini";
import {
  type EnvironmentOf,
  environmentCodec,
  number,
  optionalNumber,
  optionalText,
  text,
  type ValuesOf,
} from "../../command-environment.ts";
import type { Forwarding } from "./declared.ts";
import type { ForwardingConfig } from "./program/config.ts";

export const forwardingVariables = {
  installation: ["INSTALLATION", text],
  /** Unset for this machine's supervisor. */
  provider: [
    "PROVIDER",
    z.codec(z.optional(z.literal("docker")), z.enum(["local", "docker"]), {
      decode: (provider) => provider ?? "local",
      encode: (provider) => (provider === "docker" ? provider : undefined),
    }),
  ],
  /** The address that it listens on. */
  host: ["HOST", text],
  port: ["PORT", number],
  publicUrl: ["PUBLIC_URL", optionalText],
  routing: ["ROUTING", z.enum(["host", "path"])],
  codeTtlSeconds: ["CODE_TTL_SECONDS", number],
  cookieTtlSeconds: ["COOKIE_TTL_SECONDS", number],
  /** undefined in the state of a stack that was applied before the option existed. */
  responseTimeoutSeconds: ["RESPONSE_TIMEOUT_SECONDS", optionalNumber],
  trustedProxies: [
    "TRUSTED_PROXIES",
    z.codec(optionalText, z.readonly(z.array(z.string())), {
      decode: (ranges) => (ranges === undefined ? [] : ranges.split(" ")),
      encode: (ranges) => (ranges.length === 0 ? undefined : ranges.join(" ")),
    }),
  ],
} as const;

/** The container's id and image, if it runs in one. */
export const containerVariables = {
  container: ["CONTAINER", optionalText],
  image: ["IMAGE", optionalText],
} as const;

export const containerEnvironment = environmentCodec(containerVariables);

/** The forwarding server as the environment of its Command. */
export const forwardingEnvironment = environmentCodec(forwardingVariables);

export type ForwardingEnvironment = EnvironmentOf<typeof forwardingVariables>;
export type ForwardingValues = ValuesOf<typeof forwardingVariables>;

export function environmentOfForwarding(installation: string, forwarding: Forwarding): ForwardingEnvironment {
  return forwardingEnvironment.encode({ ...forwarding, installation });
}

/** The config to install. */
export function configOf(from: ForwardingValues): ForwardingConfig {
  const { host, port, publicUrl = null, routing, codeTtlSeconds, cookieTtlSeconds } = from;
  const { trustedProxies, responseTimeoutSeconds } = from;
  return {
    ...{ version: 1, port, host, publicUrl, routing, codeTtlSeconds, cookieTtlSeconds },
    ...(trustedProxies.length === 0 ? {} : { trustedProxies: [...trustedProxies] }),
    ...(responseTimeoutSeconds === undefined ? {} : { responseTimeoutSeconds }),
  };
}
