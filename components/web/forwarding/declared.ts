import { isIP } from "node:net";

import * as z from "zod/mini";
import { type Diagnostic, error } from "../../fleet/diagnostics.ts";
import { option } from "../../fleet/documented.ts";
import type { SettingsTable } from "../../fleet/kind.ts";
import { publicUrlProblem } from "../../fleet/public-url.ts";
import { isLoopbackHost } from "../../git/remote.ts";
import { durationSeconds } from "../../lib/duration.ts";
import { looksLikeSecret, secretInBuildArg, shown } from "../../lib/literal-secrets.ts";
import { type ForwardingOptions, forwardingTable } from "./options.ts";

/** Browsers limit a cookie's lifetime to this. */
const longestCookieDays = 400;
export const longestCookieSeconds = longestCookieDays * 86_400;

/** Diagnostics for `[forwarding]`. */
export function forwardingDiagnostics(options: ForwardingOptions): Diagnostic[] {
  const found: Diagnostic[] = [];
  const { host, public_url: publicUrl, routing, cookie_ttl: cookieTtl } = options;
  const isAddress = isIP(host) !== 0 || host === "localhost";
  if (!isAddress) {
    const remedy = 'write host = "127.0.0.1", or the address of one of this machine\'s interfaces';
    found.push(error(["forwarding", "host"], `${shown(host)} is not an IP address`, remedy));
  } else if (publicUrl === undefined && !isLoopbackHost(isIP(host) === 6 ? `[${host}]` : host)) {
    const message = `${host} is reachable from other machines, and without TLS anybody on the network can read the traffic`;
    const remedy = 'put a reverse proxy with TLS in front and write public_url = "https://…", or remove the line';
    found.push(error(["forwarding", "host"], message, remedy));
  }
  const problem = publicUrl === undefined ? undefined : addressProblem(publicUrl, routing);
  if (problem !== undefined) found.push(error(["forwarding", "public_url"], problem.message, problem.remedy));
  if (durationSeconds(cookieTtl) > longestCookieSeconds) {
    const message = `browsers don't keep a cookie for longer than ${longestCookieDays} days`;
    found.push(error(["forwarding", "cookie_ttl"], message, `write cookie_ttl = "${longestCookieDays}d" or less`));
  }
  options.trusted_proxies.forEach((text, index) => {
    if (isAddressRange(text)) return;
    const remedy = 'write an address such as "127.0.0.1", or a range such as "10.0.0.0/8"';
    found.push(error(["forwarding", "trusted_proxies", index], `${shown(text)} is not an IP address or range`, remedy));
  });
  found.push(...buildArgDiagnostics(options));
  return found;
}

function isAddressRange(text: string): boolean {
  const [, address = "", bits = "0"] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(bits) <= (family === 4 ? 32 : 128);
}

function buildArgDiagnostics({ provider, build_args: args }: ForwardingOptions): Diagnostic[] {
  if (args.length > 0 && provider !== "docker") {
    const remedy = 'remove the line, or write provider = "docker"';
    return [error(["forwarding", "build_args"], 'build_args only applies to provider = "docker"', remedy)];
  }
  return args.flatMap((arg, index) => {
    const path = ["forwarding", "build_args", index];
    if (looksLikeSecret(arg)) {
      return [error(path, secretInBuildArg, "remove it; the build must work without a secret")];
    }
    if (/^[A-Za-z_]\w*=/.test(arg)) return [];
    return [
      error(
        path,
        `${shown(arg)} is not KEY=VALUE`,
        'write for instance "PYTHON_IMAGE=registry.example.com/python:3.12"',
      ),
    ];
  });
}

function addressProblem(
  publicUrl: string,
  routing: Forwarding["routing"],
): { message: string; remedy: string } | undefined {
  const problem = publicUrlProblem(publicUrl, "https://agents.example.com");
  if (problem !== undefined) return problem;
  if (routing === "host" && isIP(new URL(publicUrl).hostname.replace(/^\[|\]$/g, "")) !== 0) {
    const message = `with routing = "host" agents are at <agent id>.<host>, and an IP address has no names below it`;
    return { message, remedy: 'write a name, or routing = "path"' };
  }
  return undefined;
}

/** How the fleet's web changelings are reached, resolved from the file's `[forwarding]`. */
export function resolvedForwarding(options: ForwardingOptions): Forwarding {
  return {
    provider: options.provider,
    port: options.port,
    host: options.host,
    publicUrl: options.public_url === undefined ? undefined : new URL(options.public_url).origin,
    routing: options.routing,
    codeTtlSeconds: durationSeconds(options.code_ttl),
    cookieTtlSeconds: durationSeconds(options.cookie_ttl),
    responseTimeoutSeconds: options.response_timeout,
    trustedProxies: options.trusted_proxies,
    buildArgs: options.build_args,
  };
}

/** How the web changelings of a fleet are reached (spec 002). */
export interface Forwarding {
  /** What keeps the server running: this machine's supervisor, or Docker. */
  readonly provider: "local" | "docker";
  readonly port: number;
  /** The address that it listens on. */
  readonly host: string;
  /** The origin in the browser, for instance `https://agents.example.com`; undefined: `http://localhost:<port>`. */
  readonly publicUrl: string | undefined;
  /** Whether each agent has its own host, or a path of a shared origin. */
  readonly routing: "host" | "path";
  readonly codeTtlSeconds: number;
  readonly cookieTtlSeconds: number;
  /** Timeout until an agent's response begins; 0 for none. */
  readonly responseTimeoutSeconds: number;
  /** IP addresses and ranges of reverse proxies whose `X-Forwarded-For` is trusted. */
  readonly trustedProxies: readonly string[];
  /** Only for `docker`: `KEY=VALUE` for building the server's image. */
  readonly buildArgs: readonly string[];
}

/** Keys of the fleet file that only apply to web changelings. */
const keys = z.strictObject({
  forwarding: option(z.prefault(forwardingTable, {}), {
    description: "The server through which browsers reach the web changelings.",
    example: { port: 8080 },
    defaultInWords: "the defaults of its keys",
  }),
});

export type ForwardingKeys = z.output<typeof keys>;

export interface ForwardingSettings {
  readonly forwarding: Forwarding;
}

export const forwardingSettings: SettingsTable<ForwardingKeys, ForwardingSettings> = {
  table: keys,
  check: ({ forwarding }) => forwardingDiagnostics(forwarding),
  resolve: ({ forwarding }) => ({ forwarding: resolvedForwarding(forwarding) }),
};
