import { CommanderError } from "commander";
import { printNote } from "../../components/lib/terminal.ts";
import { changelingProgram } from "./program.ts";

/**
 * Runs one command, whose errors it prints. Sets the exit code of this process.
 *
 * @param args the command and its arguments
 */
export async function runChangeling(args: readonly string[]): Promise<void> {
  try {
    const program = await changelingProgram(args[0]);
    await program.parseAsync(args, { from: "user" });
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
}
