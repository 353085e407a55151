import { describe, expect, it } from "vitest";
import { nameClaim } from "../../components/seed-agent/program/cluster/name-claim.ts";
import type { Store } from "../../components/seed-agent/program/store/store.ts";
import { useDatabases } from "../support/seed-store-lab.ts";

function claim(store: Store, node: string) {
  const logged: string[] = [];
  const log = (level: string, message: string) => void logged.push(`${level}: ${message}`);
  const made = nameClaim({ node, store, events: { log }, pollMilliseconds: 50 });
  made.start();
  return { ...made, logged };
}

describe.for(["sqlite", "postgres"] as const)("the name of a node on %s", { concurrent: false }, (kind) => {
  const databases = useDatabases(kind);

  it("is reported once by a second process with it, until the first one ends", async () => {
    const lab = await databases.lab();
    const [one, another] = [await lab.open(), await lab.open()];
    const [first, second, other] = [claim(one, "a"), claim(another, "a"), claim(another, "b")];
    const refused = () => [first, second].filter(({ problem }) => problem() !== undefined);
    await expect.poll(refused).toHaveLength(1);
    const [loser] = refused();
    expect(loser?.problem()).toContain("give each its own SEED_NODE");
    await (loser === first ? second : first).stop();
    await expect.poll(refused).toEqual([]);
    expect(loser?.logged).toEqual(["error: another process has the name of the node a: give each its own SEED_NODE"]);
    expect(other.problem()).toBeUndefined();
    await Promise.all([first, second, other].map(({ stop }) => stop()));
    expect(await one.leading("node a", async () => "free")).toBe("free");
  });
});
