import { describe, expect, it } from "vitest";
import { ChangelingOptionsError } from "../../../../components/fleet/program-options.ts";
import {
  configOf,
  environmentOfForwarding,
  forwardingEnvironment,
} from "../../../../components/web/forwarding/forwarding-environment.ts";
import { type ForwardingServerOptions, forwardingOf } from "../../../../components/web/forwarding/from-program.ts";
import { forwardingConfig } from "../../../../components/web/forwarding/program/config.ts";
import { usualForwarding } from "../../../support/fleet-sandbox.ts";

function problemsOf(given: ForwardingServerOptions): ChangelingOptionsError["problems"] {
  try {
    forwardingOf(given);
  } catch (error) {
    if (error instanceof ChangelingOptionsError) return error.problems;
    throw error;
  }
  return [];
}

describe("a forwarding server from a program", () => {
  it("has the defaults of the fleet file, and is the same if all are given", () => {
    expect(forwardingOf()).toEqual(usualForwarding);
    expect(forwardingOf(usualForwarding)).toEqual(usualForwarding);
    const given = {
      port: 80,
      host: "::1",
      publicUrl: "https://A.example/",
      codeTtlSeconds: 1,
      responseTimeoutSeconds: 0,
    };
    expect(forwardingOf(given)).toEqual({ ...usualForwarding, ...given, publicUrl: "https://a.example" });
  });

  it("reports all errors together, with the program's names", () => {
    const ttl = { codeTtlSeconds: 0.5, cookieTtlSeconds: 34_560_001, responseTimeoutSeconds: -1 };
    expect(problemsOf({ port: 0, publicUrl: "http://x.y", ...ttl })).toEqual([
      { option: "port", reason: "0 is too small; write 1 or more" },
      {
        option: "publicUrl",
        reason: '"http://x.y" is not an https URL; write public_url = "https://agents.example.com", or remove the line',
      },
      {
        option: "codeTtlSeconds",
        reason: "0.5 is not a valid number of seconds; use a whole number from 1 to 999999999",
      },
      {
        option: "cookieTtlSeconds",
        reason: "34560001 is not a valid number of seconds; use a whole number from 1 to 34560000",
      },
      {
        option: "responseTimeoutSeconds",
        reason: "-1 is not a valid number of seconds; use a whole number from 0 to 86400",
      },
    ]);
    expect(() => forwardingOf({ port: 0 })).toThrow("the forwarding server: port: 0 is too small; write 1 or more");
  });

  it("is installed as declared, also from a state without the newest option", () => {
    expect(environmentOfForwarding("abc", usualForwarding).TRUSTED_PROXIES).toBeUndefined();
    const trustedProxies = ["10.0.0.0/8", "::1"];
    const environment = environmentOfForwarding("abc", { ...usualForwarding, trustedProxies });
    expect(configOf(forwardingEnvironment.decode(environment)).trustedProxies).toEqual(trustedProxies);
    const { RESPONSE_TIMEOUT_SECONDS, ...older } = environmentOfForwarding("abc", usualForwarding);
    expect(RESPONSE_TIMEOUT_SECONDS).toBe("600");
    const config = configOf(forwardingEnvironment.decode({ ...older, RESPONSE_TIMEOUT_SECONDS }));
    const { host, port, routing, codeTtlSeconds, cookieTtlSeconds, responseTimeoutSeconds } = usualForwarding;
    const others = { version: 1, host, port, publicUrl: null, routing, codeTtlSeconds, cookieTtlSeconds };
    expect(forwardingConfig.parse(config)).toEqual({ ...others, responseTimeoutSeconds });
    expect(forwardingConfig.parse(configOf(forwardingEnvironment.decode(older)))).toEqual(others);
  });
});
