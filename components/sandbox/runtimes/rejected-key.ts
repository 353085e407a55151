import { upCommand } from "../../lib/own-commands.ts";
import { RuntimeError } from "./runtime.ts";

/** @param names the variables of which one has to be set */
export function rejectedKey(names: readonly string[]): RuntimeError {
  const remedy = `export a valid ${names.join(" or ")} where you run ${upCommand()}, run that, and send the prompt again`;
  return new RuntimeError("missing_api_key", `the API rejects the key: ${remedy}`);
}
