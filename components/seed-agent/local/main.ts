/**
 * One node of a seed agent on this machine, under its supervisor:
 * `node components/seed-agent/local/main.ts <installation id> <folder> <version>`.
 */
import { runNode } from "./run-node.ts";

// The module runs the service from this process's environment, and ends it at SIGTERM.
await runNode(
  () => import("../program/main.ts"),
  () => import("../program/service.ts"),
);
