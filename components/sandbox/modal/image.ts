import type { App, ModalClient } from "modal";
import { LogTail } from "../../lib/log-tail.ts";
import type { Progress } from "../provider.ts";

/** An image as Modal's SDK builds it: commands of a Dockerfile, without files of this machine. */
export interface ModalImage {
  /** Such as `debian:bookworm-slim`. */
  readonly base: string;
  readonly dockerfileCommands: readonly string[];
}

/** GenericResult.Status in Modal's protocol, which the SDK does not export. */
const success = 1;
/** How long one request for a build's log stays open. */
const joinSeconds = 55;

/**
 * Builds an image, unless Modal has one with the same content. Like the SDK's `build`, but reports the log.
 *
 * @returns its id
 * @throws Error with the tail of the log
 */
export async function buildImage(
  client: ModalClient,
  app: App,
  { base, dockerfileCommands }: ModalImage,
  { signal, onProgress }: Progress,
): Promise<string> {
  const { cpClient } = client;
  const options = signal === undefined ? {} : { signal };
  const builderVersion = await client.getImageBuilderVersion(app.environmentName);
  const image = { dockerfileCommands: [`FROM ${base}`, ...dockerfileCommands] };
  const created = await cpClient.imageGetOrCreate({ appId: app.appId, image, builderVersion }, options);
  const { imageId } = created;
  const log = new LogTail(onProgress);
  let result = created.result?.status ? created.result : undefined;
  let lastEntryId = "";
  while (result === undefined) {
    for await (const part of cpClient.imageJoinStreaming({ imageId, timeout: joinSeconds, lastEntryId }, options)) {
      if (part.entryId) lastEntryId = part.entryId;
      for (const { data } of part.taskLogs) log.add(data);
      if (part.result?.status) result = part.result;
    }
  }
  log.end();
  if (result.status === success) return imageId;
  const reason = result.exception || `the build of ${imageId} ended with Modal's status ${result.status}`;
  throw new Error([reason, ...log.lines].join("\n"));
}
