import type { App, Modal } from "./client.ts";
import type { Questions } from "./rpc.ts";

/** As many as Modal's own clients ask for. */
const pageSize = 100;
/** AppState of Modal's protocol, whose names the SDK keeps to itself. */
const appStates = new Map<number, App["state"]>([
  [3, "deployed"],
  [4, "stopped"], // STOPPING
  [5, "stopped"],
  [7, "stopped"], // DISABLED
]);

/** Whatever is only looked at on Modal, or called there; but for the files of volumes. */
export type ModalReads = Pick<
  Modal,
  "environments" | "apps" | "secrets" | "volumes" | "history" | "call" | "spawn" | "result"
>;

export function modalReads({ ask }: Questions): ModalReads {
  const spawn: ModalReads["spawn"] = async ({ app, function: name, environment, arguments: kwargs }) =>
    ask(`a call of ${app}`, async ({ functions }) => {
      const called = await (await functions.fromName(app, name, { environment })).spawn([], { ...kwargs });
      return called.functionCallId;
    });
  const result: ModalReads["result"] = async (call, { timeoutSeconds }) =>
    ask(
      `the result of ${call}`,
      async ({ functionCalls }): Promise<unknown> =>
        // A little less than the patience with it, so that the SDK ends its waiting too.
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

/** Modal lists apps for a while after they were stopped; one that is deployed stands for all of its name. */
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

/** Pages go back in time. A server that knows no pages sends everything again and again: nothing new is the end. */
async function allPages<Item extends Paged>(
  page: (pagination: { maxObjects: number; createdBefore: number }) => Promise<readonly Item[]>,
  idOf: (item: Item) => string,
): Promise<Item[]> {
  const found = new Map<string, Item>();
  // A clock that is behind must not hide what was made just now.
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
