import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkout } from "../../scripts/setup/cache.mjs";
import { programs } from "../../vitest.config.ts";

test("the files that npm run test:unit leaves out exist", () => {
  expect(programs.filter((file) => !existsSync(join(checkout, file)))).toEqual([]);
});
