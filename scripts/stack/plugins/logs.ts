import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Keeps Pulumi's CLI from logging each command into a PULUMI_HOME. It logs everything that `-v 9` would, compressed and
 * encrypted, which takes more than half of the CLI's own time, and has no setting that turns it off. It works without
 * its folder for logs, and a file is in its place.
 */
export async function turnOffLogs(pulumiHome: string): Promise<void> {
  await writeFile(
    join(pulumiHome, "logs"),
    "This file is in the place of a folder for logs, so that the Pulumi CLI writes none. To see what it would log, use\n" +
      "its options --logtostderr -v 9. To let it log each command, remove this file.\n",
  );
}
