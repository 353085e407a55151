import { createHash } from "node:crypto";
import type { Modal } from "./client.ts";
import type { Questions } from "./rpc.ts";
import { checkSecretValues } from "./secret-values.ts";

/** Of Modal's protocol, whose name the SDK keeps to itself: CREATE_OVERWRITE_IF_EXISTS. */
const overwrite = 3;

/** The small changes, each one call of the SDK; whatever has files to send is the `modal` command's. */
export type ModalChanges = Pick<
  Modal,
  "createEnvironment" | "createVolume" | "deleteVolume" | "putSecret" | "deleteSecret" | "writeFiles" | "removeFile"
>;

export function modalChanges({ ask, find }: Questions): ModalChanges {
  return {
    async createEnvironment(name) {
      await ask(`the environment ${name}`, ({ environments }) =>
        environments.fromName(name, { createIfMissing: true }),
      );
    },
    async createVolume(name, environment, { version } = { version: 1 }) {
      // One that is there stays as it is, whatever its version.
      const isThere = await find(`the volume ${name}`, ({ volumes }) => volumes.fromName(name, { environment }));
      if (isThere !== undefined) return;
      await ask(`a volume ${name}`, ({ volumes }) =>
        volumes.fromName(name, { environment, createIfMissing: true, version }),
      );
    },
    async deleteVolume(name, environment) {
      await ask(`the end of the volume ${name}`, ({ volumes }) =>
        volumes.delete(name, { environment, allowMissing: true }),
      );
    },
    async putSecret(name, environment, values) {
      checkSecretValues(name, values);
      const request = { deploymentName: name, environmentName: environment };
      const found = await find(`the Secret ${name}`, ({ cpClient }, options) =>
        cpClient.secretGetOrCreate(request, options),
      );
      const keys = found?.metadata?.keys ?? [];
      // Deployed apps know a Secret by its id, which an update keeps. What an overwrite does with it is not documented;
      // it is the only way to remove a variable whose name is not known.
      if (found !== undefined && keys.length > 0) {
        const updates = [
          ...Object.entries(values).map(([key, value]) => ({ key, value })),
          ...keys.filter((key) => !Object.hasOwn(values, key)).map((key) => ({ key })),
        ];
        await ask(`an update of the Secret ${name}`, ({ cpClient }, options) =>
          cpClient.secretUpdate({ secretId: found.secretId, updates }, options),
        );
        return found.secretId;
      }
      // The call that `modal secret create` makes too, without a process and a file that contain the values.
      const { secretId } = await ask(`a Secret ${name}`, ({ cpClient }, options) =>
        cpClient.secretGetOrCreate({ ...request, objectCreationType: overwrite, envDict: { ...values } }, options),
      );
      return secretId;
    },
    async deleteSecret(name, environment) {
      await ask(`the end of the Secret ${name}`, ({ secrets }) =>
        secrets.delete(name, { environment, allowMissing: true }),
      );
    },
    async writeFiles(volume, environment, files) {
      await ask(`files on the volume ${volume}`, async ({ cpClient }, options) => {
        const request = { deploymentName: volume, environmentName: environment };
        const { volumeId } = await cpClient.volumeGetOrCreate(request, options);
        // As Modal's own client does it: the contents first, by their digests, then the files.
        const put = Object.entries(files).map(async ([filename, text]) => {
          const data = Buffer.from(text);
          const sha256Hex = createHash("sha256").update(data).digest("hex");
          for (let exists = false; !exists; ) ({ exists } = await cpClient.mountPutFile({ sha256Hex, data }, options));
          return { filename, sha256Hex, mode: 0o644 };
        });
        const uploaded = { volumeId, files: await Promise.all(put), disallowOverwriteExistingFiles: false };
        await cpClient.volumePutFiles(uploaded, options);
      });
    },
    async removeFile(volume, environment, path) {
      await find(`the end of ${path} on the volume ${volume}`, async ({ cpClient }, options) => {
        const request = { deploymentName: volume, environmentName: environment };
        const { volumeId, version } = await cpClient.volumeGetOrCreate(request, options);
        const remove = version === 2 ? cpClient.volumeRemoveFile2 : cpClient.volumeRemoveFile;
        await remove({ volumeId, path, recursive: true }, options);
      });
    },
  };
}
