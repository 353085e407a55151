import type { Version } from "../domain.ts";
import { firstSources } from "./assets.ts";
import { compile } from "./compile.ts";

/** `v0`, the version that is part of the program. */
export async function firstVersion(): Promise<Version> {
  const sources = await firstSources();
  const compiled = await compile(sources);
  if ("diagnostics" in compiled) {
    throw new Error(
      `the first version can't be compiled: ${compiled.diagnostics.map(({ message }) => message).join("; ")}`,
    );
  }
  return {
    ...{ id: "v0", author: "seed-agent", summary: "The version that is part of the service" },
    // v0 must be the same on every node.
    createdAt: "1970-01-01T00:00:00.000Z",
    ...compiled.built,
    sources,
  };
}
