/** The `changeling` command: manages a fleet between two `pulumi up`. */
import { runChangeling } from "./run.ts";

// A reader that closes early (`| head`) is not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

await runChangeling(process.argv.slice(2));
