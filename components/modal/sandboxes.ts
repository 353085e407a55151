import type { ModalClient, Sandbox as ModalSandbox } from "modal";
import * as z from "zod/mini";
import type { Questions } from "./rpc.ts";
import type { Modal } from "./types.ts";

const endSeconds = 60;
/** How gRPC says that there is no such thing. */
const notFound = z.object({ code: z.literal(5) });

/** Sandboxes, by whom they were made for, and what became of them: a snapshot of a sandbox is an image. */
export type ModalSandboxes = Pick<Modal, "sandboxes" | "endSandboxes" | "hasImage" | "deleteImage">;

export function modalSandboxes({ ask, find }: Questions): ModalSandboxes {
  /**
   * Those that have all of these tags. All of the environment are listed: mngr's authors found Modal's own filter by tags
   * to leave some out, and one that is left out goes on running.
   */
  async function tagged(client: ModalClient, environment: string, tags: Readonly<Record<string, string>>) {
    const all: { readonly sandbox: ModalSandbox; readonly tags: Promise<Record<string, string> | undefined> }[] = [];
    // What `list` leaves out: mngr's are of the second kind.
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

/** @returns undefined for one that has ended since it was listed */
async function tagsOf(sandbox: ModalSandbox): Promise<Record<string, string> | undefined> {
  try {
    return await sandbox.getTags();
  } catch (error) {
    if (notFound.safeParse(error).success) return undefined;
    throw error;
  }
}
