import * as z from "zod/mini";
import { notStarted } from "../../lib/process.ts";
import { type Check, failed, ok } from "../../stack/check.ts";
import { flyctlArguments as flyctl } from "./arguments.ts";
import { flyctlCli, flyctlMissing } from "./run-flyctl.ts";

const account = z.looseObject({ email: z.string() });

/** Whether flyctl is installed and logged in. */
export async function flyCheck(env: NodeJS.ProcessEnv): Promise<Check> {
  const [args, options] = [flyctl.whoAmI(), { env, timeoutSeconds: 8 }];
  const ended = await flyctlCli.try(args, options);
  if (ended.code === notStarted) return failed("flyctl", "not found", flyctlMissing);
  if (ended.code !== 0) {
    const [detail = "", remedy = "flyctl auth login"] = flyctlCli.errorOf(args, ended, options).message.split("\n");
    return failed("flyctl", detail, remedy);
  }
  const read = account.safeParse(jsonOf(ended.stdout));
  return ok("flyctl", read.success ? `logged in as ${read.data.email}` : "logged in");
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
