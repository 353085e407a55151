import type { AgentRequest, Sources } from "../../../components/seed-agent/program/domain.ts";
import { compile } from "../../../components/seed-agent/program/hot-reload/compile.ts";
import { versionHosts } from "../../../components/seed-agent/program/hot-reload/host.ts";
import type {
  Fence,
  Given,
  HostLimits,
  VersionHost,
} from "../../../components/seed-agent/program/hot-reload/version-host.ts";

export const limits: HostLimits = { memoryMb: 128, callMilliseconds: 5_000, startMilliseconds: 15_000 };

export const aRequest = (request: Partial<AgentRequest> = {}): AgentRequest => ({
  ...{ method: "GET", path: "/", query: {}, headers: {}, body: "" },
  ...request,
});

export const given = (more: Partial<Given> & { readonly state?: Readonly<Record<string, string>> } = {}): Given => ({
  ...{ now: 0, seed: 1, read: async (key) => more.state?.[key] },
  ...more,
});

/** @param body of the function `handle(request, context)`, in a module of its own */
export const handler = (body: string, before = ""): Sources => ({
  "handle.ts": `${before}\nexport default async function handle(request: any, context: any): Promise<any> {\n${body}\n}\n`,
});

/** Starts sources without checking their types. It ends at the end of its scope. */
export async function run(
  sources: Sources,
  fence: Fence,
  more: Partial<HostLimits> = {},
): Promise<VersionHost & AsyncDisposable> {
  const compiled = await compile(sources);
  if ("diagnostics" in compiled) throw new Error(JSON.stringify(compiled.diagnostics));
  const host = await versionHosts(fence)({ id: "v1", bundle: compiled.built.bundle }, { ...limits, ...more });
  return Object.assign(host, { [Symbol.asyncDispose]: () => host.end() });
}
