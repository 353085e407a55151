import type { Forwarding } from "./changeling.ts";
import { error, type Finding } from "./fault.ts";
import { forwardingFindings, longestCookieSeconds, resolvedForwarding } from "./forwarding.ts";
import { readTable, refuseFaults } from "./from-program.ts";
import { forwardingTable } from "./options/forwarding.ts";

/** Options of a forwarding server that is declared in a program. */
export type ForwardingServerOptions = Partial<Forwarding>;

/**
 * How web changelings are reached, from a program's options, with the same defaults and the same checks as from a fleet
 * file.
 * @throws ChangelingOptionsError with all faults at once
 */
export function forwardingOf(given: ForwardingServerOptions = {}): Forwarding {
  const { codeTtlSeconds, cookieTtlSeconds, ...others } = given;
  const { options, found } = readTable(others, forwardingTable);
  found.push(...forwardingFindings(options).map((finding) => ({ ...finding, path: finding.path.slice(1) })));
  found.push(...secondsFindings({ codeTtlSeconds, cookieTtlSeconds }));
  refuseFaults("the forwarding server", found);
  const resolved = resolvedForwarding(options);
  return {
    ...resolved,
    codeTtlSeconds: codeTtlSeconds ?? resolved.codeTtlSeconds,
    cookieTtlSeconds: cookieTtlSeconds ?? resolved.cookieTtlSeconds,
  };
}

/** The file has them as durations, with the same limit. */
function secondsFindings(given: Readonly<Record<string, number | undefined>>): Finding[] {
  return Object.entries(given).flatMap(([option, seconds]) => {
    if (seconds === undefined) return [];
    const most = option === "cookieTtlSeconds" ? longestCookieSeconds : 999_999_999;
    if (Number.isInteger(seconds) && seconds >= 1 && seconds <= most) return [];
    return [
      error([option], `${seconds} is no number of seconds that it could be`, `give a whole one from 1 to ${most}`),
    ];
  });
}
