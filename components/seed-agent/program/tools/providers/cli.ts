/** Spec 003 expects the language models over the agents' CLIs in this file. */
export * from "../../../../models/index.ts";
