import * as z from "zod/mini";
import type { Forwarding } from "../../fleet/index.ts";
import type { ForwardingConfig } from "./program/config.ts";

/** The forwarding server as the environment of its Command: field by field, because this is what a preview shows. */
export const forwardingEnvironment = z.object({
  INSTALLATION: z.string(),
  /** Undefined: this machine's supervisor keeps it running. */
  PROVIDER: z.optional(z.literal("docker")),
  /** The address that it listens on. */
  HOST: z.string(),
  PORT: z.string(),
  PUBLIC_URL: z.optional(z.string()),
  ROUTING: z.enum(["host", "path"]),
  CODE_TTL_SECONDS: z.string(),
  COOKIE_TTL_SECONDS: z.string(),
  /** Undefined in the state of a stack that was applied before there was the option. */
  RESPONSE_TIMEOUT_SECONDS: z.optional(z.string()),
  /** Separated by spaces; undefined: none. */
  TRUSTED_PROXIES: z.optional(z.string()),
});

export type ForwardingEnvironment = z.infer<typeof forwardingEnvironment>;

export function environmentOfForwarding(installation: string, forwarding: Forwarding): ForwardingEnvironment {
  return {
    INSTALLATION: installation,
    PROVIDER: forwarding.provider === "docker" ? "docker" : undefined,
    HOST: forwarding.host,
    PORT: String(forwarding.port),
    PUBLIC_URL: forwarding.publicUrl,
    ROUTING: forwarding.routing,
    CODE_TTL_SECONDS: String(forwarding.codeTtlSeconds),
    COOKIE_TTL_SECONDS: String(forwarding.cookieTtlSeconds),
    RESPONSE_TIMEOUT_SECONDS: String(forwarding.responseTimeoutSeconds),
    TRUSTED_PROXIES: forwarding.trustedProxies.length === 0 ? undefined : forwarding.trustedProxies.join(" "),
  };
}

/** The inverse, where it is installed. */
export function configOfEnvironment(from: ForwardingEnvironment): ForwardingConfig {
  return {
    version: 1,
    port: Number(from.PORT),
    host: from.HOST,
    publicUrl: from.PUBLIC_URL ?? null,
    routing: from.ROUTING,
    codeTtlSeconds: Number(from.CODE_TTL_SECONDS),
    cookieTtlSeconds: Number(from.COOKIE_TTL_SECONDS),
    ...(from.TRUSTED_PROXIES === undefined ? {} : { trustedProxies: from.TRUSTED_PROXIES.split(" ") }),
    ...(from.RESPONSE_TIMEOUT_SECONDS === undefined
      ? {}
      : { responseTimeoutSeconds: Number(from.RESPONSE_TIMEOUT_SECONDS) }),
  };
}
