import { messageOf } from "../lib/as-error.ts";
import { type Check, failed, ok } from "./check.ts";

/** Checks that Docker, which runs the fleet's agents or its forwarding server, is reachable. */
export async function dockerCheck(): Promise<Check> {
  const { dockerClient } = await import("../docker/client.ts");
  try {
    await dockerClient(process.env).ping();
    return ok("docker", process.env["DOCKER_HOST"] ?? "its daemon answers");
  } catch (error) {
    return failed("docker", messageOf(error));
  }
}
