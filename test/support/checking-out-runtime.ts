import type { Sandbox } from "../../components/sandbox/provider.ts";
import type { AgentRuntime } from "../../components/sandbox/runtimes/runtime.ts";

/** A runtime that runs a program for each prompt, and answers with the branch. */
export default (): AgentRuntime => {
  let sandbox: Sandbox | undefined;
  return {
    async initialize(config) {
      sandbox = config.sandbox;
    },
    async execute(_prompt, { branch }) {
      await sandbox?.exec(["git", "checkout", "feature/x"], { timeoutSeconds: 1 });
      return branch;
    },
    async terminate() {},
  };
};
