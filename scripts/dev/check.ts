/** `npm run check`: checks types, lint and format, shell scripts, and that the generated docs are up to date. */
import { argumentsOf } from "../stack/setup/arguments.mjs";
import { runChecks } from "./check/checks.ts";

argumentsOf("check");
const { failed } = await runChecks();
if (failed.length > 0) process.exitCode = 1;
