import type { Stack } from "../../stack/deployment.ts";
import type { DeclaredCron } from "../declared.ts";
import { modalCronDiagnostics } from "./checks.ts";

/** Schedules that apps on Modal fire. */
export const modal = {
  check: modalCronDiagnostics,
  async observe(changelings: readonly DeclaredCron[], stack: Stack) {
    const { modalPlace } = await import("./observe.ts");
    return { modal: await modalPlace(changelings, { modal: stack.modal, secretValues: stack.secretsOf }) };
  },
};
