/** `npm run check`: types, lint and format, shell scripts, and whether the generated docs are fresh. */
import { runChecks } from "./check/checks.ts";

const { failed } = await runChecks();
if (failed.length > 0) process.exitCode = 1;
