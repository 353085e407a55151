import { describe, test } from "vitest";
import { type DockerEngine, dockerEngineOrReason } from "./docker-engine.ts";

/** Tests with a docker daemon. If none is available, one skipped test represents them, and says why. */
export async function withDocker(title: string, tests: (engine: DockerEngine) => void): Promise<void> {
  const engine = await dockerEngineOrReason();
  if (typeof engine === "string") test(title, ({ skip }) => skip(engine));
  else describe(title, () => tests(engine));
}
