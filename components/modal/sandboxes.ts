import type { ModalClient, Sandbox as ModalSandbox } from "modal";
import * as z from "zod/mini";
import type { ModalRpc } from "./rpc.ts";
import type { Modal } from "./types.ts";

const endSeconds = 60;
/** gRPC's status code for NOT_FOUND. */
const notFound = z.object({ code: z.literal(5) });

/** Sandboxes, found by their tags, and their snapshots, which are images. */
export type ModalSandboxes = Pick<Modal, "sandboxes" | "endSandboxes" | "hasImage" | "deleteImage">;

export function modalSandboxes({ ask, find }: ModalRpc): ModalSandboxes {
  /**
   * The sandboxes with all of these tags. All sandboxes of the environment are listed: mngr's authors found that
   * Modal's own filter by tags misses some, and a missed sandbox would keep running.
   */
  async function tagged(client: ModalClient, environment: string, tags: Readonly<Record<string, string>>) {
    const all: { readonly sandbox: ModalSandbox; readonly tags: Promise<Record<string, string> | undefined> }[] = [];
    // `list` omits sandboxes of the second kind, which mngr creates.
    for await (const sandbox of client.sandboxes.experimentalList({ environment })) {
      all.push({ sandbox, tags: tagsOf(sandbox) });
    }
    const known = await Promise.all(all.map(async (each) => ({ sandbox: each.sandbox, tags: await each.tags })));
    return known.flatMap(({ sandbox, tags: own }) => {
      const has = own !== undefined && Object.entries(tags).every(([name, value]) => own[name] === value);
      return has ? [{ sandbox, tags: own }] : [];
    });
  }
  return {
    sandboxes(environment, tags) {
      return ask(`the sandboxes of ${environment}`, async (client) =>
        (await tagged(client, environment, tags)).map(({ sandbox, tags: own }) => ({
          id: sandbox.sandboxId,
          tags: own,
        })),
      );
    },
    endSandboxes(environment, tags) {
      return ask(
        `the sandboxes of ${environment}`,
        async (client) => {
          const found = await tagged(client, environment, tags);
          for (const { sandbox } of found) await sandbox.terminate();
          return found.map(({ tags: own }) => own);
        },
        endSeconds,
      );
    },
    async hasImage(id) {
      return (await find(`the image ${id}`, ({ images }) => images.fromId(id))) !== undefined;
    },
    async deleteImage(id) {
      await find(`the removal of the image ${id}`, ({ images }) => images.delete(id));
    },
  };
}

/** @returns undefined if it has ended since it was listed */
async function tagsOf(sandbox: ModalSandbox): Promise<Record<string, string> | undefined> {
  try {
    return await sandbox.getTags();
  } catch (error) {
    if (notFound.safeParse(error).success) return undefined;
    throw error;
  }
}
