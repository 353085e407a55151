import { localProvider } from "../../components/sandbox/local/provider.ts";
import { describeAgents } from "./agents-in-sandboxes.ts";

describeAgents("local", ["claude", "codex", "mngr"], (sandboxes) => localProvider({ sandboxes }));
