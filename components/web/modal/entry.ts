import { buildArgDiagnostics } from "../../fleet/build-args.ts";
import type { KeyPathOf } from "../../fleet/diagnostics.ts";
import type { Stack } from "../../stack/deployment.ts";
import type { DeclaredWeb } from "../declared.ts";
import type { WebOptions } from "../options.ts";
import { unfitForWeb } from "./checks.ts";

/** Web agents on Modal. */
export const modal = {
  where: "on Modal",
  check: (options: WebOptions, place: KeyPathOf) => buildArgDiagnostics(options, place, unfitForWeb),
  async observe(changelings: readonly DeclaredWeb[], stack: Stack) {
    const { modalWebs } = await import("./observe.ts");
    return modalWebs(changelings, { modal: stack.modal, secretValues: stack.secretsOf });
  },
};
