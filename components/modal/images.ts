import type { Modal } from "./client.ts";
import type { Questions } from "./questions.ts";

/** Images by their ids: a snapshot of a sandbox is one. */
export function modalImages({ ask, find }: Questions): Pick<Modal, "hasImage" | "deleteImage"> {
  return {
    async hasImage(id) {
      return (await find(`the image ${id}`, ({ images }) => images.fromId(id))) !== undefined;
    },
    async deleteImage(id) {
      await ask(`the removal of the image ${id}`, ({ images }) => images.delete(id));
    },
  };
}
