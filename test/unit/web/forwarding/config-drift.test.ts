import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { installationPaths } from "../../../../components/host/installation-paths.ts";
import {
  configOf,
  type ForwardingEnvironment,
  forwardingEnvironment,
} from "../../../../components/web/forwarding/forwarding-environment.ts";
import {
  forwardingConfigDrift,
  writeForwardingConfig,
} from "../../../../components/web/forwarding/installed-config.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "config-"));
});
afterEach(() => rmSync(home, { recursive: true }));

const stated: ForwardingEnvironment = {
  ...{ INSTALLATION: "abc", HOST: "127.0.0.1", PORT: "8420", ROUTING: "host" },
  ...{ CODE_TTL_SECONDS: "900", COOKIE_TTL_SECONDS: "3600" },
};

it("ignores how the user invoked changeling, but not another port", () => {
  const paths = installationPaths("abc", home);
  writeForwardingConfig(paths, { ...configOf(forwardingEnvironment.decode(stated)), cli: "npm run changeling --" });
  expect(forwardingConfigDrift(paths, stated)).toBeUndefined();
  expect(forwardingConfigDrift(paths, { ...stated, PORT: "9000" })).toBe("its config was edited by hand");
});
