import { modalCli } from "./cli.ts";
import { modalChanges, modalReads } from "./resources.ts";
import { modalRpc } from "./rpc.ts";
import { modalSandboxes } from "./sandboxes.ts";
import type { Modal, ModalOptions } from "./types.ts";
import { volumeFiles } from "./volume-files.ts";

/** Modal through its own clients: its TypeScript SDK, and its `modal` command for what takes many calls. */
export function modalClient(options: ModalOptions): Modal {
  const rpc = modalRpc(options);
  const reads = modalReads(rpc);
  return {
    ...reads,
    ...volumeFiles(rpc),
    ...modalSandboxes(rpc),
    ...modalChanges(rpc, reads),
    ...modalCli(options, reads),
  };
}
