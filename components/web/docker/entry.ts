import type { Stack } from "../../stack/deployment.ts";
import type { DeclaredWeb } from "../declared.ts";
import { dockerFindings } from "./checks.ts";

/** Web agents in containers. */
export const docker = {
  where: "in Docker",
  check: dockerFindings,
  async observe(changelings: readonly DeclaredWeb[], { mngrProfile, secretsOf }: Stack) {
    const { dockerWebs } = await import("./observe.ts");
    return dockerWebs(changelings, { mngrProfile, secretValues: secretsOf });
  },
};
