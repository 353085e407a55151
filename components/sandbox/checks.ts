import { unfitDiagnostics } from "../fleet/applies.ts";
import { branchDiagnostics } from "../fleet/checks.ts";
import { type Diagnostic, error, type KeyPathOf } from "../fleet/diagnostics.ts";
import { variableDiagnostics } from "../fleet/secrets.ts";
import { bytesOf, bytesOfList, sizeDiagnostics } from "../fleet/sizes.ts";
import { urlProblem } from "../git/repo-name.ts";
import { shown } from "../lib/literal-secrets.ts";
import { isModulePath } from "./declared.ts";
import { hasOtherPort, noPorts } from "./modal/network.ts";
import { type SandboxOptions, sandboxApplies, sandboxNoun, sandboxTable } from "./options.ts";
import { placeDiagnostics } from "./runtimes/mngr-checks.ts";
import { checkRuntime } from "./runtimes/registry.ts";

/** Diagnostics for one sandbox's options, without looking beyond them. */
export function sandboxDiagnostics(options: SandboxOptions, place: KeyPathOf): Diagnostic[] {
  const found = branchDiagnostics(options, place);
  found.push(...unfitDiagnostics({ applies: sandboxApplies, table: sandboxTable, noun: sandboxNoun }, options, place));
  const url = options.repo === undefined ? undefined : urlProblem(options.repo);
  if (url !== undefined) found.push(error(place("repo"), url.message, url.remedy));
  found.push(
    ...(isModulePath(options.runtime)
      ? []
      : checkRuntime(options.runtime, options.runtime_config, place("runtime"), place("runtime_config"))),
    ...placeDiagnostics(options, place),
    ...domainDiagnostics(options, place),
    ...authorDiagnostics(options, place),
    ...variableDiagnostics(options, place),
    ...sizeDiagnostics(options, place, {
      runtime_config: { bytes: bytesOf(JSON.stringify(options.runtime_config)) },
      mcp_servers: { bytes: bytesOf(JSON.stringify(options.mcp_servers)) },
      allow_domains: { bytes: bytesOfList(options.allow_domains ?? []) },
    }),
  );
  return found;
}

const host = /^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$/;

function domainDiagnostics({ allow_domains: domains = [], provider }: SandboxOptions, place: KeyPathOf): Diagnostic[] {
  return domains.flatMap((domain, index) => {
    if (host.test(domain)) {
      if (provider !== "modal" || !hasOtherPort(domain)) return [];
      return [{ ...error(place("allow_domains", index), noPorts.message, noPorts.remedy), reads: ["provider"] }];
    }
    const message = `${shown(domain)} is not a host name`;
    return [error(place("allow_domains", index), message, 'write a host such as "github.com" or "*.npmjs.org"')];
  });
}

/** Git removes these characters from a name, or ends the name at them. */
function authorDiagnostics({ user_name: name }: SandboxOptions, place: KeyPathOf): Diagnostic[] {
  if (name === undefined || !/[<>\x00-\x1f\x7f]/.test(name)) return [];
  return [error(place("user_name"), "contains <, > or a control character", "write the name alone")];
}
