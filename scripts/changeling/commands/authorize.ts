import type { Command } from "commander";
import { upCommand } from "../../../components/lib/own-commands.ts";
import { shortNameOf } from "../../stack/stack.ts";
import { answer, contextOf } from "../context.ts";
import { examples } from "../options.ts";

export function addAuthorize(program: Command): void {
  program
    .command("authorize")
    .description("let `mngr` on this machine list a stack's agents on Modal and connect to them")
    .addHelpText(
      "after",
      `
Gives this machine's mngr the stack's identity (in a host dir of its own, if mngr already has another) and a key, whose
public half is stored where the changelings find it. It opens only agents that are created from then on. \`pulumi up\` does the
same on the machine where it runs, except in a pipeline.
${examples("authorize", "authorize --stack prod --json")}`,
    )
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command);
      const [{ tokenOf }, { modalClient }, { authorizeMachine }, { writeHomeFiles }, identity, { observeModal }] =
        await Promise.all([
          import("../observe-modal.ts"),
          import("../../../components/modal/client.ts"),
          import("../../../components/modal/machine-identity.ts"),
          import("../../../components/modal/home-volume.ts"),
          import("../../../components/modal/identity.ts"),
          import("../../../components/modal/observe.ts"),
        ]);
      const stack = shortNameOf(context.stack);
      const client = modalClient({ token: await tokenOf(context.stack), env: process.env });
      const localEnvironment = identity.personEnvironment(identity.personIdentity(process.env));
      const observed = await observeModal({ stack, client, localEnvironment });
      if (observed.identity === undefined) {
        throw new Error(`the stack ${stack} has nothing on Modal yet; deploy it with: ${upCommand()}`);
      }
      const { environment, mngrProfile: profile } = observed.identity;
      const home = { client, stack, environment };
      const { machine, files } = await authorizeMachine(home, observed.identity, process.env, { profile });
      await writeHomeFiles(home, files);
      const isNew = Object.keys(files).length > 0;
      const { hostDir, mngr } = machine;
      const text = `${isNew ? "this machine is authorized for agents that are created from now on" : "this machine was already authorized"}\nsee the agents with: ${mngr} list`;
      answer(context, { stack, environment, hostDir, mngr, wasAuthorized: !isNew }, text);
    });
}
