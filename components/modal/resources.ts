import type { ModalRpc } from "./rpc.ts";
import { checkSecretValues } from "./secret-values.ts";
import type { App, Modal } from "./types.ts";

/** The page size of Modal's own clients. */
const pageSize = 100;
/** AppState in Modal's protocol, which the SDK does not export. */
const appStates = new Map<number, App["state"]>([
  [3, "deployed"],
  [4, "stopped"], // STOPPING
  [5, "stopped"],
  [7, "stopped"], // DISABLED
]);

/** Read requests to Modal, and function calls, except those for the files of volumes. */
export type ModalReads = Pick<
  Modal,
  "environments" | "apps" | "secrets" | "volumes" | "history" | "call" | "spawn" | "result"
>;

export function modalReads({ ask }: ModalRpc): ModalReads {
  const spawn: ModalReads["spawn"] = async ({ app, function: name, environment, arguments: kwargs }) =>
    ask(`a call of ${app}`, async ({ functions }) => {
      const called = await (await functions.fromName(app, name, { environment })).spawn([], { ...kwargs });
      return called.functionCallId;
    });
  const result: ModalReads["result"] = async (call, { timeoutSeconds }) =>
    ask(
      `the result of ${call}`,
      async ({ functionCalls }): Promise<unknown> =>
        // Slightly shorter than the request's own timeout, so that the SDK stops waiting too.
        (await functionCalls.fromId(call)).get({ timeoutMs: timeoutSeconds * 1000 }),
      timeoutSeconds + 1,
    );
  return {
    async environments() {
      const { items } = await ask("the environments", ({ cpClient }, options) => cpClient.environmentList({}, options));
      return items.map(({ name }) => name);
    },
    async apps(environment) {
      const { apps } = await ask(`the apps of ${environment}`, ({ cpClient }, options) =>
        cpClient.appList({ environmentName: environment }, options),
      );
      return livePerName(
        apps.map(({ appId, name, description, state, createdAt }) => ({
          id: appId,
          name: name || description,
          state: appStates.get(state) ?? "other",
          createdAt,
        })),
      );
    },
    async secrets(environment) {
      const items = await ask(`the Secrets of ${environment}`, ({ cpClient }, options) =>
        allPages(
          async (pagination) =>
            (await cpClient.secretList({ environmentName: environment, pagination }, options)).items,
          ({ secretId }) => secretId,
        ),
      );
      return items.map(({ secretId, label }) => ({ id: secretId, name: label }));
    },
    async volumes(environment) {
      const items = await ask(`the volumes of ${environment}`, ({ cpClient }, options) =>
        allPages(
          async (pagination) =>
            (await cpClient.volumeList({ environmentName: environment, pagination }, options)).items,
          ({ volumeId }) => volumeId,
        ),
      );
      return items.map(({ volumeId, label }) => ({ id: volumeId, name: label }));
    },
    async history(appId) {
      const { appDeploymentHistories } = await ask(`the history of ${appId}`, ({ cpClient }, options) =>
        cpClient.appDeploymentHistory({ appId }, options),
      );
      return appDeploymentHistories
        .map(({ version, tag, deployedAt }) => ({ version, tag, deployedAt }))
        .sort((one, other) => other.version - one.version);
    },
    spawn,
    result,
    async call(call, { timeoutSeconds }) {
      return await result(await spawn(call), { timeoutSeconds });
    },
  };
}

/** Modal lists stopped apps for a while. Of several apps with one name, a deployed one wins. */
function livePerName(apps: readonly App[]): App[] {
  const rank = ({ state, createdAt }: App) => (state === "deployed" ? Number.POSITIVE_INFINITY : createdAt);
  const live = new Map<string, App>();
  for (const app of apps) {
    const other = live.get(app.name);
    if (other === undefined || rank(app) > rank(other)) live.set(app.name, app);
  }
  return [...live.values()];
}

interface Paged {
  readonly createdAt: number;
  readonly metadata?: { readonly creationInfo?: { readonly createdAt: number } | undefined } | undefined;
}

/** Pages are ordered from new to old. A server without paging returns the same items again: stop when none are new. */
async function allPages<Item extends Paged>(
  page: (pagination: { maxObjects: number; createdBefore: number }) => Promise<readonly Item[]>,
  idOf: (item: Item) => string,
): Promise<Item[]> {
  const found = new Map<string, Item>();
  // A slow clock must not hide the newest items.
  let createdBefore = Date.now() / 1000 + 86_400;
  for (;;) {
    const items = await page({ maxObjects: pageSize, createdBefore });
    const known = found.size;
    for (const item of items) found.set(idOf(item), item);
    const last = items.at(-1);
    if (last === undefined || items.length < pageSize || found.size === known) return [...found.values()];
    createdBefore = last.metadata?.creationInfo?.createdAt ?? last.createdAt;
  }
}

/** CREATE_OVERWRITE_IF_EXISTS and APP_STOP_SOURCE_CLI in Modal's protocol, which the SDK does not export. */
const overwrite = 3;
const stoppedByCommand = 1;
/** Modal ends the app's containers first. */
const stopSeconds = 120;

/** Changes to everything but the files of volumes. The `modal` command makes deployments. */
export type ModalChanges = Pick<
  Modal,
  "createEnvironment" | "createVolume" | "deleteVolume" | "putSecret" | "deleteSecret" | "stopApp"
>;

/** @param reads finds the app that has a name now */
export function modalChanges({ ask, find }: ModalRpc, reads: Pick<Modal, "apps">): ModalChanges {
  return {
    async createEnvironment(name) {
      await ask(`the environment ${name}`, ({ environments }) =>
        environments.fromName(name, { createIfMissing: true }),
      );
    },
    async createVolume(name, environment, { version } = { version: 1 }) {
      // An existing volume is kept, whatever its version.
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
      // Deployed apps refer to a Secret by its id, which an update keeps. Whether an overwrite keeps it is not
      // documented, but it is the only way to remove a variable whose name is unknown.
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
      // `modal secret create` makes the same call, but needs a process and a file that contain the values.
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
    async stopApp(name, environment) {
      const app = (await reads.apps(environment)).find((each) => each.name === name);
      if (app === undefined || app.state === "stopped") return;
      await find(
        `the end of the app ${name}`,
        ({ cpClient }, options) => cpClient.appStop({ appId: app.id, source: stoppedByCommand }, options),
        stopSeconds,
      );
    },
  };
}
