import { upCommand } from "../../lib/own-commands.ts";
import { type HomeVolume, writeHomeFiles } from "../../modal/home-volume.ts";
import { homeVolumeName, webVolumeNames } from "../../modal/names.ts";
import { readRecord, removeRecord, type WebRecord, webRecord, writeRecord } from "../agent/record.ts";
import type { WebRecords } from "../life-cycle/agent-host.ts";
import type { WebAgents } from "../life-cycle/web-agents.ts";
import { dataVolumeBeside, firstRecord } from "../machine/records.ts";

/**
 * The record of a web agent on Modal is on the stack's home volume, which all machines share. Each machine that has managed
 * the agent keeps a copy with its local records, for its forwarding server and its `changeling` command.
 */
function recordFile(name: string): string {
  return `web/${name}.json`;
}

/**
 * @returns undefined if there is none
 * @throws if it is not a record
 */
export async function sharedRecord(name: string, { client, stack, environment }: HomeVolume) {
  const home = homeVolumeName(stack);
  const text = await client.readFile(home, environment, recordFile(name));
  if (text === undefined) return undefined;
  const parsed = webRecord.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  const remedy = `modal volume rm ${home} ${recordFile(name)} --env ${environment}, then: ${upCommand()}`;
  throw new Error(
    `${recordFile(name)} on the volume ${home} is not a record of a web changeling; remove it: ${remedy}`,
  );
}

/** @param hostDir the host dir that makes this machine's mngr act as the stack */
export function modalRecords(at: HomeVolume, { paths }: Pick<WebAgents, "paths">, hostDir: string): WebRecords {
  const { client, stack, environment } = at;
  // By now the name may belong to a local agent.
  const forgetCopy = (name: string) => {
    if (readRecord(paths, name)?.provider === "modal") removeRecord(paths, name);
  };
  return {
    read: (name) => sharedRecord(name, at),
    async write({ mngrHostDir, ...record }) {
      const shared: WebRecord = { ...record, modal: { stack, environment } };
      await writeHomeFiles(at, { [recordFile(shared.name)]: `${JSON.stringify(shared, null, 2)}\n` });
      if (shared.removed) forgetCopy(shared.name);
      else writeRecord(paths, { ...shared, mngrHostDir: hostDir });
    },
    async remove(name) {
      await client.removeFile(homeVolumeName(stack), environment, recordFile(name));
      forgetCopy(name);
    },
    async first(name) {
      const files = await client.files(homeVolumeName(stack), environment, "web");
      const names = files.flatMap(({ path }) => /^web\/([a-z][a-z0-9-]*)\.json$/.exec(path)?.[1] ?? []);
      const others = await Promise.all(names.map((each) => sharedRecord(each, at)));
      return firstRecord(
        name,
        (each) => webVolumeNames(stack, each),
        others.filter((other) => other !== undefined),
      );
    },
    dataBeside: dataVolumeBeside,
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
