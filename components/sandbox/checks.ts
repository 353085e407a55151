import { unfitFindings } from "../fleet/applies.ts";
import { branchFindings } from "../fleet/checks.ts";
import { error, type Finding, type PlaceOf } from "../fleet/diagnostics.ts";
import { variableFindings } from "../fleet/secrets.ts";
import { bytesOf, bytesOfList, sizeFindings } from "../fleet/sizes.ts";
import { urlFault } from "../git/repo-name.ts";
import { shown } from "../lib/literal-secrets.ts";
import { isModulePath } from "./declared.ts";
import { hasOtherPort, noPorts } from "./modal/network.ts";
import { type SandboxOptions, sandboxApplies, sandboxNoun, sandboxTable } from "./options.ts";
import { checkRuntime } from "./runtimes/registry.ts";

/** Diagnostics for one sandbox's options, without looking beyond them. */
export function sandboxFindings(options: SandboxOptions, place: PlaceOf): Finding[] {
  const found = branchFindings(options, place);
  found.push(...unfitFindings({ applies: sandboxApplies, table: sandboxTable, noun: sandboxNoun }, options, place));
  const url = options.repo === undefined ? undefined : urlFault(options.repo);
  if (url !== undefined) found.push(error(place("repo"), url.message, url.remedy));
  found.push(
    ...(isModulePath(options.runtime)
      ? []
      : checkRuntime(options.runtime, options.runtime_config, place("runtime"), place("runtime_config"))),
    ...domainFindings(options, place),
    ...authorFindings(options, place),
    ...variableFindings(options, place),
    ...sizeFindings(options, place, {
      runtime_config: { bytes: bytesOf(JSON.stringify(options.runtime_config)) },
      mcp_servers: { bytes: bytesOf(JSON.stringify(options.mcp_servers)) },
      allow_domains: { bytes: bytesOfList(options.allow_domains ?? []) },
    }),
  );
  return found;
}

const host = /^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$/;

function domainFindings({ allow_domains: domains = [], provider }: SandboxOptions, place: PlaceOf): Finding[] {
  return domains.flatMap((domain, index) => {
    if (host.test(domain)) {
      if (provider !== "modal" || !hasOtherPort(domain)) return [];
      return [{ ...error(place("allow_domains", index), noPorts.message, noPorts.remedy), reads: ["provider"] }];
    }
    const message = `${shown(domain)} is not a host name`;
    return [error(place("allow_domains", index), message, 'write a host such as "github.com" or "*.npmjs.org"')];
  });
}

/** Git removes these characters from a name, or reads a name that contains them as two lines. */
function authorFindings({ user_name: name }: SandboxOptions, place: PlaceOf): Finding[] {
  if (name === undefined || !/[<>\x00-\x1f\x7f]/.test(name)) return [];
  return [error(place("user_name"), "contains <, > or a control character", "write the name alone")];
}
