import { expect, it } from "vitest";
import { orphans } from "../../../components/sandbox/orphans.ts";

const now = Date.parse("2026-11-30T12:00:00Z");
const sandbox = (id: string, session: string, hoursAgo: number) => ({
  id,
  labels: { installation: "0123456789ab", session },
  createdAt: new Date(now - hoursAgo * 3_600_000).toISOString(),
});

it("only sandboxes that no session has are orphans, and not while they are being made", async () => {
  const asked: unknown[] = [];
  const list = async (labels: Readonly<Record<string, string>>) => {
    asked.push(labels);
    return [
      sandbox("kept", "known", 20),
      sandbox("left", "unknown", 20),
      sandbox("being-made", "unknown", 0.1),
      sandbox("warming", "warm", 1),
      sandbox("warming-left", "warm", 5),
      { id: "unlabelled", labels: {}, createdAt: new Date(now - 72_000_000).toISOString() },
    ];
  };
  const found = await orphans({ list }, "0123456789ab", (session) => session === "known", now);
  expect(found.map(({ id }) => id)).toEqual(["left", "warming-left", "unlabelled"]);
  expect(asked).toEqual([{ installation: "0123456789ab" }]);
});
