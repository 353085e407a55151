import { modalCli } from "./cli.ts";
import { modalChanges, modalReads } from "./resources.ts";
import { modalQuestions } from "./rpc.ts";
import { modalSandboxes } from "./sandboxes.ts";
import type { Modal, ModalOptions } from "./types.ts";
import { volumeFiles } from "./volume-files.ts";

/** Modal through its own clients: its TypeScript SDK, and its `modal` command for uploads and downloads. */
export function modalClient(options: ModalOptions): Modal {
  const questions = modalQuestions(options);
  const reads = modalReads(questions);
  return {
    ...reads,
    ...volumeFiles(questions),
    ...modalSandboxes(questions),
    ...modalChanges(questions),
    ...modalCli(options, reads),
  };
}
