import { existsSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { scriptCommand } from "../../../components/command.ts";
import type { Deployment } from "../../../components/stack/deployment.ts";
import { greetingFile } from "./greetings.ts";
import type { DeclaredNoop } from "./kind.ts";

export const noopDeployment: Deployment<DeclaredNoop> = {
  async observe(changelings) {
    const missing = new Set(changelings.map(({ name }) => name).filter((name) => !existsSync(greetingFile(name))));
    return () =>
      Object.fromEntries(
        changelings.map(({ name, kind, greeting }) => {
          const component = new pulumi.ComponentResource("changelings:noop:Noop", name);
          scriptCommand(
            `${name}-noop`,
            {
              command: "noop",
              environment: { NAME: name, GREETING: greeting },
              drift: missing.has(name) ? "its file is missing" : undefined,
            },
            { parent: component },
          );
          return [name, { kind, greeting }] as const;
        }),
      );
  },
};
