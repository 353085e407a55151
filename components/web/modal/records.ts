import { randomBytes } from "node:crypto";
import { writeHomeFiles } from "../../modal/home-files.ts";
import { homeVolumeName, webVolumeNames } from "../../modal/names.ts";
import { isFree, newAgentId, readRecord, removeRecord, type WebRecord, webRecord, writeRecord } from "../record.ts";
import type { WebSpec } from "../spec.ts";
import type { ModalWeb } from "./modal-web.ts";

/**
 * The record of a web agent on Modal stands on the stack's home volume, for all machines; each that has worked on the
 * agent has a copy in the place of local ones, for its forwarding server and its `changeling` command.
 */
function recordFile(name: string): string {
  return `web/${name}.json`;
}

/** @returns undefined when there is none @throws when it is not a record */
export async function sharedRecord(name: string, web: Pick<ModalWeb, "client" | "stack" | "environment">) {
  const home = homeVolumeName(web.stack);
  const text = await web.client.readFile(home, web.environment, recordFile(name));
  if (text === undefined) return undefined;
  const parsed = webRecord.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  const remedy = `modal volume rm ${home} ${recordFile(name)} --env ${web.environment}, then: pulumi up`;
  throw new Error(
    `${recordFile(name)} on the volume ${home} is not a record of a web changeling; remove it: ${remedy}`,
  );
}

/** The record of a changeling, made when there is none; one that it has under a former name is its own. */
export async function modalRecordFor(spec: WebSpec, former: string | undefined, web: ModalWeb): Promise<WebRecord> {
  const { stack, environment } = web;
  const own = await sharedRecord(spec.name, web);
  const renamed = isFree(own) && former !== undefined ? await sharedRecord(former, web) : undefined;
  const found = renamed ?? own;
  const { removed, ...kept } = found ?? {
    agentId: newAgentId(),
    repo: webVolumeNames(stack, spec.name).repo,
    removed: undefined,
  };
  const record: WebRecord = {
    ...kept,
    version: 1,
    name: spec.name,
    agentName: spec.name,
    provider: "modal",
    mngrProfile: spec.mngrProfile,
    modal: { host: found?.modal?.host, stack, environment },
    data: spec.data ?? kept.repo.replace(/_repo$/, "_data"),
  };
  await saveRecord(record, web);
  if (renamed !== undefined) await forgetRecord(renamed.name, web);
  return record;
}

export async function saveRecord(record: WebRecord, web: ModalWeb): Promise<void> {
  await share(record, web);
  writeRecord(web.paths, { ...record, mngrHostDir: web.hostDir });
}

/** Of one that was removed; its volumes were kept. */
export async function saveRemoved(record: WebRecord, web: ModalWeb): Promise<void> {
  await share({ ...record, removed: true }, web);
  forgetCopy(record.name, web);
}

export async function forgetRecord(name: string, web: ModalWeb): Promise<void> {
  await web.client.removeFile(homeVolumeName(web.stack), web.environment, recordFile(name));
  forgetCopy(name, web);
}

async function share({ mngrHostDir, ...shared }: WebRecord, web: ModalWeb): Promise<void> {
  await writeHomeFiles(web, { [recordFile(shared.name)]: `${JSON.stringify(shared, null, 2)}\n` });
}

/** By now the name may be a local agent's. */
function forgetCopy(name: string, { paths }: ModalWeb): void {
  if (readRecord(paths, name)?.provider === "modal") removeRecord(paths, name);
}

/** Each of its machines has a name of its own: mngr keeps those of destroyed ones for a week. */
export function newHostName({ name }: WebSpec): string {
  return `${name}-${randomBytes(4).toString("hex")}`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
