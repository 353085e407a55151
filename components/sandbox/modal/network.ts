import { isIP } from "node:net";
import type { SandboxCreateParams } from "modal";
import type { SandboxSpec } from "../spec.ts";

type Network = Pick<SandboxCreateParams, "blockNetwork" | "outboundDomainAllowlist" | "outboundCidrAllowlist">;

/**
 * Translates `allow_domains` to Modal's allowlists, which have no ports: an entry with a port would allow more than it says.
 * Only 443 is accepted, because hosts are usually listed for https.
 *
 * @throws Error that names every entry that is not a host, or has another port
 */
export function modalNetwork({ allowDomains }: Pick<SandboxSpec, "allowDomains">): Network {
  if (allowDomains === undefined) return {};
  if (allowDomains.length === 0) return { blockNetwork: true };
  const entries = allowDomains.map((text) => ({ text, ...parse(text) }));
  const unknown = entries.filter(({ host }) => host === "").map(({ text }) => text);
  if (unknown.length > 0) throw new Error(`not a host, as in allow_domains: ${unknown.join(", ")}`);
  const withPort = allowDomains.filter(hasOtherPort);
  if (withPort.length > 0) throw new Error(`${noPorts.message}: ${withPort.join(", ")}; ${noPorts.remedy}`);
  const domains = entries.filter(({ host }) => isIP(host) === 0).map(({ host }) => host);
  const addresses = entries.filter(({ host }) => isIP(host) !== 0).map(({ host }) => host);
  return {
    outboundDomainAllowlist: domains,
    outboundCidrAllowlist: addresses.map((address) => `${address}/${isIP(address) === 4 ? 32 : 128}`),
  };
}

export const noPorts = {
  message: "Modal can't limit connections to a port",
  remedy: "write the host alone in allow_domains, or use another provider",
} as const;

/** Whether an entry of `allow_domains` has a port other than 443, which Modal's lists can't express. */
export function hasOtherPort(entry: string): boolean {
  const { port } = parse(entry);
  return port !== undefined && port !== "443";
}

/** An IPv6 address with a port has brackets. */
function parse(entry: string): { host: string; port: string | undefined } {
  if (isIP(entry) !== 0) return { host: entry, port: undefined };
  const [, bracketed, plain = "", port] = /^(?:\[([^\]]+)\]|([^:/\s]*))(?::(\d+))?$/.exec(entry) ?? [];
  return { host: bracketed ?? plain, port };
}
