import type { AgentRequest, Sources } from "../../../components/seed-agent/program/domain.ts";
import { checks } from "../../../components/seed-agent/program/hot-reload/check.ts";
import type { Candidate, Checked, CheckOptions } from "../../../components/seed-agent/program/hot-reload/checking.ts";
import { compile } from "../../../components/seed-agent/program/hot-reload/compile.ts";
import { firstVersion } from "../../../components/seed-agent/program/hot-reload/first-version.ts";
import { versionHosts } from "../../../components/seed-agent/program/hot-reload/host.ts";
import type {
  CallContext,
  Fence,
  HostLimits,
  VersionHost,
} from "../../../components/seed-agent/program/hot-reload/version-host.ts";

export const limits: HostLimits = { memoryMb: 128, callMilliseconds: 5_000, startMilliseconds: 15_000 };

export const aRequest = (request: Partial<AgentRequest> = {}): AgentRequest => ({
  ...{ method: "GET", path: "/", query: {}, headers: {}, body: "" },
  ...request,
});

export const given = (
  more: Partial<CallContext> & { readonly state?: Readonly<Record<string, string>> } = {},
): CallContext => ({
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

/** Judges a change of the first version. */
export async function judge(
  files: Readonly<Record<string, string | null>>,
  fence: Fence,
  { answers = "same", recordings = [], testMilliseconds = 20_000, ...more }: Partial<Candidate & CheckOptions> = {},
): Promise<Checked & { readonly failed: string | undefined; readonly said: string }> {
  const base = more.base ?? (await firstVersion());
  const sources = applyFiles(base.sources, files);
  const checked = await checks(fence)({ sources, base, answers, recordings }, { limits, testMilliseconds, ...more });
  const failed = checked.report.steps.find(({ outcome }) => outcome === "failed");
  const said = (failed?.diagnostics ?? []).map(({ file, line, message }) => `${file ?? ""}:${line ?? ""} ${message}`);
  return { ...checked, failed: failed?.name, said: said.join("\n") };
}

function applyFiles(base: Sources, files: Readonly<Record<string, string | null>>): Sources {
  const all = new Map(Object.entries(base));
  for (const [file, text] of Object.entries(files)) {
    if (text === null) all.delete(file);
    else all.set(file, text);
  }
  return Object.fromEntries(all);
}
