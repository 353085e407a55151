/** The `changeling` command: manages a fleet between two `pulumi up`. */
import { CommanderError } from "commander";
import { printNote } from "../../components/lib/terminal.ts";
import { changelingProgram } from "./program.ts";

// A reader that closes early (`| head`) is not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

try {
  const program = await changelingProgram(process.argv[2]);
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // commander has already printed the message; 0 is --help and --version.
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    const showsStack = process.env["CHANGELINGS_DEBUG"] && error instanceof Error;
    printNote(`error: ${error instanceof Error ? (showsStack ? error.stack : error.message) : error}\n`);
    process.exitCode = 1;
  }
}
