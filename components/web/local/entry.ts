import type { Stack } from "../../stack/deployment.ts";
import type { DeclaredWeb } from "../declared.ts";

/** Web agents on this machine. */
export const local = {
  where: "on this machine",
  check: () => [],
  async observe(changelings: readonly DeclaredWeb[], { mngrProfile, secretsOf }: Stack) {
    const { localWebs } = await import("./observe.ts");
    return localWebs(changelings, { mngrProfile, secretValues: secretsOf });
  },
};
