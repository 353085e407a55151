import type { Stack } from "../../stack/deployment.ts";
import type { DeclaredWeb } from "../declared.ts";
import { dockerDiagnostics } from "./checks.ts";

/** Web agents in containers. */
export const docker = {
  where: "in Docker",
  check: dockerDiagnostics,
  async observe(changelings: readonly DeclaredWeb[], { mngrProfile, secretsOf }: Stack) {
    const { dockerWebs } = await import("./observe.ts");
    return dockerWebs(changelings, { mngrProfile, secretValues: secretsOf });
  },
};
