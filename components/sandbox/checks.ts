import { branchFindings } from "../fleet/checks.ts";
import { error, type Finding, type PlaceOf } from "../fleet/diagnostics.ts";
import type { Unfit, UnfitOptions } from "../fleet/kind.ts";
import { variableFindings } from "../fleet/secrets.ts";
import { bytesOf, bytesOfList, sizeFindings } from "../fleet/sizes.ts";
import { urlFault } from "../git/repo-name.ts";
import { shown } from "../lib/literal-secrets.ts";
import { isModulePath } from "./declared.ts";
import type { SandboxOptions } from "./options.ts";
import { checkRuntime } from "./runtimes/registry.ts";

/** Diagnostics for one sandbox's options, without looking beyond them. */
export function sandboxFindings(options: SandboxOptions, place: PlaceOf): Finding[] {
  const found = branchFindings(options, place);
  for (const [key, unfit] of unfitSandboxOptions(options))
    found.push({ ...unfit, path: place(key), reads: ["provider"] });
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

function domainFindings({ allow_domains: domains = [] }: SandboxOptions, place: PlaceOf): Finding[] {
  return domains.flatMap((domain, index) => {
    if (host.test(domain)) return [];
    const message = `${shown(domain)} is not a host name`;
    return [error(place("allow_domains", index), message, 'write a host such as "github.com" or "*.npmjs.org"')];
  });
}

/** Git removes these characters from a name, or reads a name that contains them as two lines. */
function authorFindings({ user_name: name }: SandboxOptions, place: PlaceOf): Finding[] {
  if (name === undefined || !/[<>\x00-\x1f\x7f]/.test(name)) return [];
  return [error(place("user_name"), "contains <, > or a control character", "write the name alone")];
}

/** Options that are set but have no effect for a sandbox on this provider. */
export function unfitSandboxOptions(options: SandboxOptions): UnfitOptions {
  const unfit = new Map<string, Unfit>();
  if (options.provider !== "local" && options.isolation !== "sandbox") unfit.set("isolation", alwaysIsolated);
  if (options.agent_type !== undefined) unfit.set("agent_type", inPlaceOf("agent_type", 'runtime = "claude"'));
  if (options.agent_args.length > 0) unfit.set("agent_args", inPlaceOf("agent_args", "runtime_config"));
  if (options.build_args.length > 0) unfit.set("build_args", inPlaceOf("build_args", "cpu and memory_gb"));
  return unfit;
}

const alwaysIsolated: Unfit = {
  message: 'isolation = "none" is only for provider = "local": other providers always isolate a sandbox',
  remedy: "remove the line",
  severity: "error",
};

function inPlaceOf(option: string, instead: string): Unfit {
  return { message: `${option} has no effect for a sandbox`, remedy: `write ${instead} instead`, severity: "error" };
}
