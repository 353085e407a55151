import { expect, test } from "vitest";
import { remaining } from "../../../../scripts/stack/remove-installation.ts";

test("what remains is every place that exists, and every place that is not a path of this machine", () => {
  const elsewhere = ["volume changelings-web-x", "the volume seed-0-data in Docker", "the volumes v1 of the app a"];
  expect(remaining([...elsewhere, import.meta.dirname, "/no/such/folder"])).toEqual([
    ...elsewhere,
    import.meta.dirname,
  ]);
});
