import { describe, expect, test } from "vitest";
import { dockerFailure } from "../../../components/docker/run-docker.ts";

describe("why docker failed", () => {
  const failed = (stderr: string) =>
    dockerFailure(["container", "start", "x"], { code: 1, stdout: "", stderr }).message;

  test("is what the daemon said, not what the client adds", () => {
    const daemon =
      "Error response from daemon: driver failed programming external connectivity: port is already allocated";
    expect(failed(`${daemon}\nError: failed to start containers: x\n`)).toBe(
      `docker container start failed: ${daemon}`,
    );
  });

  test("is the client's last line where the daemon said nothing", () => {
    expect(failed('unknown flag: --x\nSee "docker start --help".\n\n')).toBe(
      'docker container start failed: See "docker start --help".',
    );
    expect(failed("")).toBe("docker container start failed: exit status 1");
  });
});
