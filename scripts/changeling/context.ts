import { existsSync } from "node:fs";
import { type Command, Option } from "commander";
import { type InstallationPaths, installationPaths } from "../../components/host/installation-paths.ts";
import { printJson, printText } from "../../components/lib/terminal.ts";
import type { Provider } from "../../components/web/options.ts";
import { devStack } from "../stack/dev-stack.ts";
import { commandsOn, installationOf, type Stack } from "../stack/stack.ts";

/** Which stack to use, and where its files are. */
export interface Place {
  readonly stack: Stack;
  readonly paths: InstallationPaths;
  /** The only provider to query; undefined: all that the stack uses. */
  readonly provider: Provider | undefined;
}

/** What every command receives: the stack, and the output format. */
export interface Context extends Place {
  readonly json: boolean;
}

export function contextOf(command: Command): Context {
  const options = command.optsWithGlobals<{ stack: string; json?: boolean; provider?: Provider }>();
  const stack = options.stack === "dev" ? devStack() : { name: options.stack };
  const paths = installationPaths(installationOf(stack));
  Object.assign(process.env, commandsOn(stack));
  return { stack, paths, json: options.json === true, provider: options.provider };
}

export const providers: readonly Provider[] = ["local", "docker", "modal"];

/** For commands that show what is deployed. */
export function providerOption(): Option {
  return new Option("--provider <name>", "read only this provider").choices(providers);
}

/** Whether a command should query this provider. */
export function looksAt({ provider }: Pick<Place, "provider">, at: Provider): boolean {
  return provider === undefined || provider === at;
}

/** Prints one answer, as JSON or as text. */
export function answer(context: Context, data: unknown, text: string): void {
  if (context.json) printJson(data);
  else if (text !== "") printText(`${text}\n`);
}

/** The embedded default stack is created by `npm start`; before that, there is nothing to show. */
export function requireDevStack(stack: Stack): void {
  if (stack.configFile !== undefined && !existsSync(stack.configFile)) {
    throw new Error("the stack of `npm start` does not exist yet; create it with: npm start");
  }
}
