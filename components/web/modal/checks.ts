import type { UnfitArg } from "../../fleet/build-args.ts";

export function unfitForWeb(key: string): UnfitArg | undefined {
  switch (key) {
    case "timeout":
      return { message: "its machine always lives as long as Modal allows", remedy: "remove it" };
    case "offline":
      return {
        message: "an agent that is offline can't be reached",
        remedy: "remove it, or list the addresses that it may reach: cidr-allowlist=<range>",
      };
    default:
      return undefined;
  }
}
