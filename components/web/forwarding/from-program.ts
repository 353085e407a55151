import { type Diagnostic, error } from "../../fleet/diagnostics.ts";
import { readTable, rejectInvalid } from "../../fleet/program-options.ts";
import { type Forwarding, forwardingDiagnostics, longestCookieSeconds, resolvedForwarding } from "./declared.ts";
import { forwardingTable } from "./options.ts";

/** Options of a forwarding server that is declared in a program. */
export type ForwardingServerOptions = Partial<Forwarding>;

/**
 * Resolves a program's options for reaching web changelings, with the same defaults and checks as in a fleet file.
 * @throws ChangelingOptionsError with all errors
 */
export function forwardingOf(given: ForwardingServerOptions = {}): Forwarding {
  const { codeTtlSeconds, cookieTtlSeconds, responseTimeoutSeconds, ...others } = given;
  const { options, found } = readTable(others, forwardingTable);
  const seconds = { codeTtlSeconds, cookieTtlSeconds, responseTimeoutSeconds };
  found.push(
    ...forwardingDiagnostics(options).map((diagnostic) => ({ ...diagnostic, path: diagnostic.path.slice(1) })),
  );
  found.push(...secondsDiagnostics(seconds));
  rejectInvalid("the forwarding server", found);
  const resolved = resolvedForwarding(options);
  return {
    ...resolved,
    codeTtlSeconds: codeTtlSeconds ?? resolved.codeTtlSeconds,
    cookieTtlSeconds: cookieTtlSeconds ?? resolved.cookieTtlSeconds,
    responseTimeoutSeconds: responseTimeoutSeconds ?? resolved.responseTimeoutSeconds,
  };
}

/** The same limits as in the fleet file, which has other names for these. */
const limits = {
  codeTtlSeconds: [1, 999_999_999],
  cookieTtlSeconds: [1, longestCookieSeconds],
  responseTimeoutSeconds: [0, 86_400],
} as const;

function secondsDiagnostics(given: Readonly<Record<keyof typeof limits, number | undefined>>): Diagnostic[] {
  return (Object.keys(limits) as (keyof typeof limits)[]).flatMap((option) => {
    const seconds = given[option];
    const [least, most] = limits[option];
    if (seconds === undefined || (Number.isInteger(seconds) && seconds >= least && seconds <= most)) return [];
    const remedy = `use a whole number from ${least} to ${most}`;
    return [error([option], `${seconds} is not a valid number of seconds`, remedy)];
  });
}
