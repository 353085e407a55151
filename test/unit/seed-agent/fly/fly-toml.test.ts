import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import { flyToml } from "../../../../components/seed-agent/fly/fly-toml.ts";
import { secretsFingerprint } from "../../../../components/seed-agent/secrets-fingerprint.ts";
import { onFly, seedSecrets } from "../../../support/deployed-seed.ts";

const schema = join(import.meta.dirname, "../../../fixtures/schemastore/fly.json");
const validate = new Ajv({ strict: false, allErrors: true }).compile(
  JSON.parse(readFileSync(schema, "utf8")) as object,
);

const secrets = {
  fingerprint: secretsFingerprint(seedSecrets),
  names: Object.keys(seedSecrets),
  digests: "0123",
};
const options = { installation: "i1", release: "0.1.0-abc", secrets };
const specs = {
  "the defaults": onFly(),
  "a goal of several lines": onFly({ goal: '# Goal\n\nBe "kind", and \\ fast.\n' }),
  "another region and size": onFly({
    replicas: 5,
    volumeGb: 40,
    fly: { app: "x", organization: "acme", region: "fra" },
  }),
  "variables of the user": onFly({ env: { CLAUDE_DEFAULT_MODEL: "opus", CLAUDE_HOME: "/data/claude" } }),
};

describe("fly.toml", () => {
  test.each(Object.entries(specs))("fits SchemaStore's schema with %s", (_, spec) => {
    for (const image of [undefined, "registry.fly.io/x:deployment-1"]) {
      expect(validate(parse(flyToml(spec, { ...options, image }))), JSON.stringify(validate.errors)).toBe(true);
    }
  });

  test("the schema rejects misspelled keys, so that the test above can fail", () => {
    const config = parse(flyToml(onFly(), options));
    expect(validate({ ...config, deploy: { strategy: "blue-green" } })).toBe(false);
    expect(validate({ ...config, mounts: [{ source: "agent_code", destination: "/data", size: 5 }] })).toBe(false);
  });

  test("declares spec 003's settings", () => {
    expect(parse(flyToml(onFly(), options))).toMatchObject({
      app: "mira-seed",
      primary_region: "sea",
      kill_signal: "SIGTERM",
      build: { dockerfile: "Dockerfile", "build-target": "root-volumes" },
      env: { DNS_CLUSTER_QUERY: "mira-seed.internal", SEED_HOST: "::", PORT: "4000", SEED_DATA_DIR: "/data" },
      mounts: [{ source: "agent_code", destination: "/data", initial_size: "5gb" }],
      http_service: {
        internal_port: 4000,
        force_https: true,
        auto_stop_machines: "off",
        min_machines_running: 2,
        checks: [{ path: "/health" }],
      },
      checks: { deep: { path: "/health/deep", port: 9091 } },
      metrics: [{ port: 9091, path: "/metrics" }],
    });
  });

  test("replaces machines with volumes one by one, the only way that works", () => {
    expect(parse(flyToml(onFly(), options))["deploy"]).toMatchObject({ strategy: "rolling", max_unavailable: 1 });
  });

  test("the monitoring port is not open to the internet", () => {
    const config = parse(flyToml(onFly(), options));
    expect(config["services"]).toBeUndefined();
    expect(JSON.stringify(config["http_service"])).not.toContain("9091");
  });

  test("keeps a goal as it was written", () => {
    const goal = '# Goal\n\nBe "kind", \'quoted\' and \\ fast. ☃ = """\n';
    expect(parse(flyToml(onFly({ goal }), options))["env"]).toMatchObject({ SEED_GOAL: goal });
  });

  test("contains no secret", () => {
    const toml = flyToml(onFly(), options);
    for (const value of Object.values(seedSecrets)) expect(toml).not.toContain(value);
  });

  test("is the same for the same spec", () => {
    expect(flyToml(onFly(), options)).toBe(flyToml(structuredClone(onFly()), options));
  });
});
