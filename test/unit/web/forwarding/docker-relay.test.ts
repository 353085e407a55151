import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { adminRequest, NotRunning, sendRequest } from "../../../../components/web/forwarding/admin-client.ts";
import { writeContainer } from "../../../../components/web/forwarding/docker/installed-container.ts";
import { type AdminParts, startAdmin } from "../../../../components/web/forwarding/program/admin.ts";
import { FakeDocker } from "../../../support/fake-docker.ts";
import { ada, bob, openSite } from "../../../support/forwarding-site.ts";

const docker = new FakeDocker();

describe("requests to a server in a container", () => {
  const relay = join(import.meta.dirname, "../../../../components/web/forwarding/docker/relay.ts");

  /** As `docker exec --interactive NAME node RELAY FOLDER`, with the relay that is here. */
  const relayTo = (state: string) =>
    docker.is(
      `[ "$1 $2 $3" = "exec --interactive forwarding" ] || exit 9; exec '${process.execPath}' '${relay}' '${state}' $7`,
    );

  it("pass through docker exec, but not through an argument list", async () => {
    await using site = await openSite();
    using _admin = await openAdmin(site);
    writeContainer(docker.folder, { name: "forwarding", id: "one", image: "image:1" });
    relayTo(site.folder);
    expect(await adminRequest(docker.folder, { op: "agents" })).toEqual([ada, bob]);
    const made = await adminRequest(docker.folder, { op: "mint", agent: ada.id });
    expect(made).toMatchObject({ url: expect.stringContaining(`agent_id=${ada.id}&one_time_code=`) });
    expect(await sendRequest(docker.folder, { op: "refresh" })).toBe(true);
    const exec = "exec --interactive forwarding node /opt/changelings/relay.mjs /var/lib/changelings";
    expect(docker.calls()).toEqual([exec, exec, `${exec} hand-over`]);
    await expect.poll(() => site.agents.refreshed).toBe(1);
  });

  it("report whether the server or its container does not run", async () => {
    writeContainer(docker.folder, { name: "forwarding", id: "one", image: "image:1" });
    relayTo(join(docker.folder, "nothing"));
    await expect(adminRequest(docker.folder, { op: "status" })).rejects.toThrow(NotRunning);
    expect(await sendRequest(docker.folder, { op: "refresh" })).toBe(false);
    docker.is('echo "Error response from daemon: Container 1a2b is not running" >&2; exit 1');
    await expect(adminRequest(docker.folder, { op: "status" })).rejects.toThrow(NotRunning);
  });

  it("pass on Docker's error", async () => {
    writeContainer(docker.folder, { name: "forwarding", id: "one", image: "image:1" });
    docker.is('echo "OCI runtime exec failed" >&2; exit 126');
    await expect(adminRequest(docker.folder, { op: "status" })).rejects.toThrow(
      "docker exec failed: OCI runtime exec failed",
    );
  });
});

async function openAdmin({ folder, server, agents }: Omit<AdminParts, "log">) {
  const admin = await startAdmin({ folder, server, agents, log: () => {} });
  return { [Symbol.dispose]: () => admin.close() };
}
