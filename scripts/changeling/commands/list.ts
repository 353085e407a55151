import type { Command } from "commander";
import { upCommand } from "../../../components/lib/own-commands.ts";
import { printNote } from "../../../components/lib/terminal.ts";
import { includesProvider, type Listing } from "../../../components/stack/inspection.ts";
import { answer, contextOf, type Inspected, providerOption } from "../context.ts";
import { fileDifferences } from "../fleet-file/applied.ts";
import { kindsOn } from "../kinds.ts";
import { requireStack } from "../known-stack.ts";
import { examples } from "../options.ts";
import { withProgress } from "../terminal/progress.ts";
import { table } from "../terminal/table.ts";

export function addList(program: Command): void {
  program
    .command("list")
    .description(
      "list the deployed fleet: when each changeling fires next and how its last run ended, or its state and URL",
    )
    .addOption(providerOption())
    .addHelpText("after", examples("list", "list --json | jq '.[] | select(.lastRun.outcome == \"failed\") | .name'"))
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command);
      const listings = await withProgress({
        what: () => "reading what is deployed",
        isShort: true,
        end: listingsOf(context),
      });
      const changelings = listings.flatMap((listing) => listing.changelings);
      const incomplete = new Set(listings.flatMap((listing) => listing.incomplete ?? []));
      if (changelings.length === 0) await requireStack(context, await context.modal());
      // What could not be read may be the whole fleet.
      const isKnown = changelings.length > 0 || incomplete.size === 0;
      answer(context, changelings, isKnown ? listText(listings) : "");
      for (const difference of includesProvider(context, "local") ? await fileDifferences(context.stack, false) : []) {
        printNote(`warning: ${difference.words}; repair it with: ${upCommand()}\n`);
      }
      for (const warning of [...listings.flatMap(({ warnings }) => warnings), ...incomplete])
        printNote(`warning: ${warning}\n`);
      if (incomplete.size > 0) process.exitCode = 1;
    });
}

/** Of all kinds concurrently, in the registry's order. */
export function listingsOf(stack: Inspected): Promise<Listing[]> {
  return Promise.all(kindsOn(stack).map(async (kind) => (await kind.inspection()).list(stack)));
}

/** One table per kind in use. The provider is only shown if some are not on this machine. */
export function listText(listings: readonly Listing[]): string {
  const used = listings.filter(({ changelings }) => changelings.length > 0);
  if (used.length === 0) return `No changeling is deployed on this stack. Declare one and apply it: ${upCommand()}`;
  return used.map(tableText).join("\n\n");
}

function tableText({ changelings, columns, cells }: Listing): string {
  const isAllLocal = changelings.every(({ provider }) => provider === "local");
  return table(
    ["NAME", ...(isAllLocal ? [] : ["WHERE"]), ...columns],
    changelings.map(({ name, provider }, index) => [name, ...(isAllLocal ? [] : [provider]), ...(cells[index] ?? [])]),
  );
}
