#!/usr/bin/env node
// @ts-check
// The package's `changeling` command. npm packs this file alone of scripts/, so it imports the launcher only in a checkout.
import { existsSync } from "node:fs";

const launcher = new URL("../stack/launch.mjs", import.meta.url);

if (existsSync(launcher)) {
  process.env.CHANGELINGS_CALLED ??= "npx changeling";
  process.argv.splice(2, 0, "changeling");
  await import(launcher.href);
} else {
  process.stderr.write(
    [
      "error: `changeling` works on a fleet file, in a checkout of changelings; this is the installed package.",
      "In your own Pulumi program, use:",
      "  pulumi preview, pulumi up       to see and apply what the program declares",
      '  loginUrl() of "changelings/web" for a login URL of a web changeling',
      "For the commands, clone the repository and run there: npx changeling --help",
      "",
    ].join("\n"),
  );
  process.exitCode = 2;
}
