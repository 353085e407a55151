import { existsSync } from "node:fs";
import { join } from "node:path";
import { readRegularFile } from "../../../../host/regular-file.ts";
import type { WebRecord } from "../../../agent/record.ts";
import { registrationsHere } from "../../../local/registrations.ts";
import { type AgentOutput, mostOfPage, outputFiles, outputFrom } from "./agent-output.ts";
import { stateFolderOf } from "./mngr-of.ts";

/**
 * The output of an agent on this machine, read from its files. In Docker, the forwarding server sees them at the same
 * paths.
 *
 * @returns undefined if mngr has no folder of it
 */
export function outputHere(record: WebRecord, env: NodeJS.ProcessEnv): AgentOutput | undefined {
  const folder = stateFolderOf(record, env);
  if (!existsSync(folder)) return undefined;
  const startOf = ({ file, mostBytes }: { readonly file: string; readonly mostBytes: number }) =>
    readRegularFile(join(folder, file), { mostBytes })?.text ?? "";
  const page = readRegularFile(join(record.data, "index.html"), { mostBytes: mostOfPage });
  return outputFrom({
    registrations: registrationsHere(folder),
    secret: startOf(outputFiles.secret),
    message: startOf(outputFiles.message),
    page: page !== undefined && page.size <= mostOfPage ? page.text : "",
  });
}
