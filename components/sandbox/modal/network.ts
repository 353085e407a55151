import { isIP } from "node:net";
import type { SandboxCreateParams } from "modal";
import type { SandboxSpec } from "../spec.ts";

type Network = Pick<SandboxCreateParams, "blockNetwork" | "outboundDomainAllowlist" | "outboundCidrAllowlist">;

/**
 * What Modal lets a sandbox connect to. Modal's lists have no ports, so an entry with one would allow more than it says.
 * 443 is accepted, since hosts are listed for https.
 *
 * @throws Error that names every entry that is no host, or has another port
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

/** Whether an entry of `allow_domains` says what Modal's lists can't. */
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
