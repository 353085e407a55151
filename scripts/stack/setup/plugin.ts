import { existsSync } from "node:fs";
import { join } from "node:path";
import { installPlugin } from "../plugins/install.ts";
import { turnOffLogs } from "../plugins/logs.ts";
import { cacheFolder, keyOf, versions } from "./cache.mjs";
import { answers } from "./download.ts";
import { installInPlace } from "./install.mjs";
import { SetupError, say, step } from "./progress.mjs";
import { run } from "./run.mjs";
import { commandPluginFolder, ownPulumiHome, standInSources } from "./toolchain.mjs";

const SERVER = "https://get.pulumi.com/releases/plugins";

export interface PulumiHomes {
  /** The PULUMI_HOME to use. */
  readonly pulumiHome: string;
  /** The user's own, if `pulumiHome` is private. */
  readonly ownPulumiHome: string | null;
}

/**
 * Finds the official `command` plugin in the user's own PULUMI_HOME. If it can't be installed, uses our stand-ins for
 * it and for the `docker` plugin, in a private PULUMI_HOME so that no other project sees them. Pulumi itself installs
 * the official docker plugin when a stack needs it.
 */
export async function findPlugins(pulumi: string, node: string): Promise<PulumiHomes> {
  const own = ownPulumiHome();
  if (existsSync(commandPluginFolder(own)) || (await installOfficial(pulumi, own))) {
    return { pulumiHome: own, ownPulumiHome: null };
  }
  const key = keyOf({ texts: [node, versions.pulumi], paths: standInSources });
  const pulumiHome = join(cacheFolder(), "pulumi-home", key);
  await installInPlace(pulumiHome, async () => {
    say(
      `The official command plugin ${versions.commandPlugin} can't be downloaded here: stand-ins are used, for this project only.`,
    );
    const names = ["command", "docker"] as const;
    await Promise.all(names.map((name) => installPlugin(name, { pulumiHome, node, ownPulumiHome: own })));
    await turnOffLogs(pulumiHome);
  });
  return { pulumiHome, ownPulumiHome: own };
}

async function installOfficial(pulumi: string, pulumiHome: string): Promise<boolean> {
  const mirror = process.env.CHANGELINGS_COMMAND_PLUGIN_URL;
  // Pulumi would try five times, each with a socket's timeout.
  if (!(await answers(mirror ?? SERVER))) return false;
  const version = versions.commandPlugin;
  const argv = [pulumi, "plugin", "install", "resource", "command", version] as const;
  const options = {
    log: "command-plugin",
    env: { ...process.env, PULUMI_HOME: pulumiHome, PULUMI_SKIP_UPDATE_CHECK: "true" },
    timeoutSeconds: 180,
  };
  try {
    await step(`Installing the Pulumi plugin command ${version}`, () =>
      run(mirror === undefined ? argv : [...argv, "--server", mirror], options),
    );
  } catch (error) {
    if (error instanceof SetupError) return false;
    throw error;
  }
  return existsSync(commandPluginFolder(pulumiHome));
}
