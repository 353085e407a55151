import type { Command } from "commander";
import { installations, writeClaim } from "../../../components/host/claims.ts";
import { installationPaths } from "../../../components/host/installation-paths.ts";
import { identityInWords, isSameStack } from "../../../components/host/stack-identity.ts";
import { upCommand } from "../../../components/lib/own-commands.ts";
import { exportedState } from "../../../components/stack/state.ts";
import { identityOfStack, problemOf, pulumi } from "../../stack/stack.ts";
import { answer, contextOf } from "../context.ts";
import { examples } from "../options.ts";

export function addAdopt(program: Command): void {
  program
    .command("adopt")
    .description(
      "assign this machine's installation to a stack that was renamed, or moved to another backend or machine",
    )
    .addHelpText(
      "after",
      `
\`pulumi up\` does this by itself if it can see that the former stack is gone. Otherwise it refuses, because a copy of a
stack would fire everything twice. After this command, it refuses the former stack.
${examples("adopt --stack prod", "adopt --stack acme/changelings/prod")}`,
    )
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command);
      const exported = await pulumi(context.stack, ["stack", "export"], { capture: true });
      if (exported.code !== 0) throw new Error(problemOf(exported));
      const identity = identityOfStack(context.stack);
      const named = exportedState(exported.stdout).installations;
      if (named.length === 0) {
        throw new Error(`${identityInWords(identity)} has nothing on any machine yet; apply it with: ${upCommand()}`);
      }
      const here = installations().filter(({ id }) => named.includes(id));
      const all = here.length > 0 ? here : named.map((id) => ({ id, claim: undefined }));
      const adopted = all.map(({ id, claim }) => {
        writeClaim(installationPaths(id), identity, { isAdopted: true });
        const former = claim !== undefined && !isSameStack(claim, identity) ? identityInWords(claim) : null;
        return { installation: id, stack: identityInWords(identity), former };
      });
      const lines = adopted.map(({ installation, stack, former }) =>
        former === null
          ? `${installation} belongs to ${stack}.`
          : `${installation} belongs to ${stack} now, and not to ${former} any more.`,
      );
      answer(context, adopted, [...lines, `Apply it with: ${upCommand()}`].join("\n"));
    });
}
