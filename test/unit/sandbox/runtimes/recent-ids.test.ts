import { expect, it } from "vitest";
import { RecentIds } from "../../../../components/sandbox/runtimes/recent-ids.ts";

it("remembers only the newest ids, and none that is overlong", () => {
  const ids = new RecentIds();
  for (let count = 0; count < 20_000; count += 1) ids.add(`toolu_${count}`);
  ids.add("x".repeat(1_000_000));
  expect(ids.size).toBe(10_000);
  expect(ids.has("toolu_19999")).toBe(true);
  expect(ids.has("toolu_9999")).toBe(false);
  ids.delete("toolu_19999");
  expect(ids.has("toolu_19999")).toBe(false);
  ids.clear();
  expect(ids.size).toBe(0);
});
