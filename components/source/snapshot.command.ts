/** Creates, renews or removes the snapshot that runs of a branch start from: the `snapshot-<repository>-…` Command. */
import { environmentCodec, type ValuesOf } from "../command-environment.ts";
import { commandScript } from "../command-script.ts";
import { printNote } from "../lib/terminal.ts";
import { modalClient } from "../modal/client.ts";
import { isModalVariable } from "../modal/environment.ts";
import { writeHomeFiles } from "../modal/home-volume.ts";
import { personIdentity, portableSettings } from "../modal/identity.ts";
import { ModalError } from "../modal/modal-error.ts";
import { homeVolumeName } from "../modal/names.ts";
import { modalToken, noTokenRemedy } from "../modal/token.ts";
import type { Modal } from "../modal/types.ts";
import { snapshotOfPlaceholder } from "./placeholder.ts";
import {
  isYoung,
  type SnapshotDeclaration,
  type SnapshotRecord,
  snapshotFile,
  snapshotLabel,
  snapshotRecord,
} from "./snapshot.ts";
import { snapshotEnvironment } from "./snapshot-environment.ts";
import { gitTokenEnvironment } from "./tarball-environment.ts";

const environment = environmentCodec({ ...snapshotEnvironment.table, ...gitTokenEnvironment.table });

type Variables = ValuesOf<typeof environment.table>;

export default commandScript({
  variables: environment.schema,
  keeps: isModalVariable,
  timeoutSeconds: 2400,
  async apply(variables) {
    const client = clientOf();
    const declaration = declarationOf(variables);
    const label = snapshotLabel(declaration);
    const old = await recordOf(client, variables, label);
    if (old !== undefined && isYoung(old, variables.maxAgeSeconds) && (await client.hasImage(old.imageId))) {
      return { imageId: old.imageId, createdAt: old.createdAt, label };
    }
    const imageId = await makeSnapshot(client, declaration, variables);
    const createdAt = new Date().toISOString();
    const { repo, branch } = declaration;
    const record: SnapshotRecord = { imageId, createdAt, repo, branch };
    const home = { client, stack: variables.stack, environment: variables.environment };
    await writeHomeFiles(home, { [snapshotFile(label)]: `${JSON.stringify(record, null, 2)}\n` });
    // Deleted last, because a run that fires in the meantime starts from the recorded snapshot.
    if (old !== undefined) await deleteImage(client, old.imageId);
    return { imageId, createdAt, label };
  },
  async remove(variables) {
    const client = clientOf();
    const label = snapshotLabel(declarationOf(variables));
    const old = await recordOf(client, variables, label);
    if (old === undefined) return { removed: label };
    await client.removeFile(homeVolumeName(variables.stack), variables.environment, snapshotFile(label));
    await deleteImage(client, old.imageId);
    return { removed: label };
  },
});

function clientOf(): Modal {
  return modalClient({ token: modalToken(process.env), env: process.env });
}

function declarationOf({ repo, branch, template, buildArgs }: Variables): SnapshotDeclaration {
  return { repo, branch, template, buildArgs };
}

/** The recorded snapshot. An invalid record counts as a missing one. */
async function recordOf(client: Modal, variables: Variables, label: string): Promise<SnapshotRecord | undefined> {
  const volume = homeVolumeName(variables.stack);
  try {
    const text = await client.readFile(volume, variables.environment, snapshotFile(label));
    return text === undefined ? undefined : snapshotRecord.safeParse(JSON.parse(text)).data;
  } catch (error) {
    // The volume does not exist, so there is no record.
    if (error instanceof SyntaxError || (error instanceof ModalError && error.kind === "not_found")) return undefined;
    throw error;
  }
}

function makeSnapshot(client: Modal, declaration: SnapshotDeclaration, variables: Variables): Promise<string> {
  const token = modalToken(process.env);
  if (token === undefined) throw new ModalError("no_token", "no Modal token is set", noTokenRemedy);
  const person = personIdentity(process.env, { profile: variables.mngrProfile });
  return snapshotOfPlaceholder(declaration, {
    client,
    environment: variables.environment,
    userId: variables.userId,
    prefix: variables.prefix,
    token,
    settings: portableSettings(person),
    gitToken: variables.token || undefined,
    env: process.env,
  });
}

/** An image that can't be deleted only wastes space. */
async function deleteImage(client: Modal, id: string): Promise<void> {
  try {
    await client.deleteImage(id);
  } catch (error) {
    printNote(`warning: the old image was not deleted: ${error instanceof Error ? error.message : error}\n`);
  }
}
