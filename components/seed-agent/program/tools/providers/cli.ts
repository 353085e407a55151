/** Where spec 003 has the language models over the agents' CLIs. */
export * from "../../../../models/index.ts";
