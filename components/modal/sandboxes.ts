import type { Modal, Sandbox } from "./client.ts";
import type { Questions } from "./questions.ts";

const endSeconds = 60;

/** Sandboxes, by whom they were made for, and what became of them: a snapshot of a sandbox is an image. */
export type ModalSandboxes = Pick<Modal, "sandboxes" | "endSandboxes" | "hasImage" | "deleteImage">;

export function modalSandboxes({ ask, find }: Questions): ModalSandboxes {
  return {
    sandboxes(environment, tags) {
      return ask(`the sandboxes of ${environment}`, async ({ sandboxes }) => {
        const found: Sandbox[] = [];
        for await (const sandbox of sandboxes.experimentalList({ environment, tags: { ...tags } })) {
          found.push({ id: sandbox.sandboxId, tags: await sandbox.getTags() });
        }
        return found;
      });
    },
    endSandboxes(environment, tags) {
      return ask(
        `the sandboxes of ${environment}`,
        async ({ sandboxes }) => {
          const ended: Record<string, string>[] = [];
          // What `list` leaves out: mngr's are of the second kind.
          for await (const sandbox of sandboxes.experimentalList({ environment, tags: { ...tags } })) {
            ended.push(await sandbox.getTags());
            await sandbox.terminate();
          }
          return ended;
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
