import fc from "fast-check";
import { describe, expect, it } from "vitest";
import "../../support/properties.ts";
import { resolvedSandbox } from "../../../components/sandbox/declared.ts";
import { sandboxOf } from "../../../components/sandbox/from-program.ts";
import { digestOfSpec } from "../../../components/sandbox/installed.ts";
import { sandboxTable } from "../../../components/sandbox/options.ts";
import {
  environmentOfSandbox,
  sandboxEnvironment,
  specOfSandbox,
} from "../../../components/sandbox/sandbox-environment.ts";

const anchors = { project: "/home/me/fleet", home: "/home/me" };

describe("a sandbox changeling as its Command's environment", () => {
  it("says in words what is declared, with portable paths, and leaves out what is not set", () => {
    const declared = sandboxOf("example", { repo: "/home/me/src/app", runtime: "/home/me/fleet/mine.mjs", cpu: 2 });
    expect(environmentOfSandbox(declared, anchors, "0123456789ab")).toEqual({
      NAME: "example",
      INSTALLATION: "0123456789ab",
      PROVIDER: "local",
      ENABLED: "yes",
      ISOLATION: "sandbox",
      OWNER: "local",
      REPO: "app",
      URL: "~/src/app",
      BRANCH: "main",
      RUNTIME: "./mine.mjs",
      TIMEOUT_SECONDS: "3600",
      CPU: "2",
      EGRESS_IS_LIMITED: "no",
      USER_NAME: "example",
      USER_EMAIL: "example@changelings.invalid",
      SECRETS: "ANTHROPIC_API_KEY, GITHUB_TOKEN",
    });
  });

  it("is read back as the same spec, whatever is declared", () => {
    const words = fc.string({ minLength: 1 }).filter((word) => !word.includes("\0"));
    const options = fc.record({
      repo: fc.constantFrom("https://github.com/me/app", "/home/me/src/app", "/srv/app"),
      provider: fc.constantFrom("local", "docker", "modal"),
      runtime: fc.constantFrom("stub", "/home/me/runtime.mjs", "./runtime.mjs"),
      runtime_config: fc.dictionary(words, fc.jsonValue()),
      allow_domains: fc.option(fc.array(fc.constantFrom("github.com", "*.npmjs.org")), { nil: undefined }),
      user_name: fc.option(words, { nil: undefined }),
      env: fc.dictionary(fc.constantFrom("A", "B"), words),
      secrets: fc.uniqueArray(fc.constantFrom("GITHUB_TOKEN", "NPM_TOKEN", "A_KEY")),
      mcp_servers: fc.dictionary(fc.constantFrom("one", "two"), fc.record({ command: words, args: fc.array(words) })),
      snapshot_max_age: fc.option(fc.constantFrom("7d", "12h"), { nil: undefined }),
      cpu: fc.option(fc.constantFrom(0.5, 2), { nil: undefined }),
    });
    fc.assert(
      fc.property(options, (written) => {
        const parsed = sandboxTable.parse(JSON.parse(JSON.stringify(written)));
        const declared = resolvedSandbox("example", parsed, {
          repository: { owner: "me", repo: "app", url: written.repo },
          folder: "/home/me/fleet",
          home: "/home/me",
          secretsAreExplicit: false,
        });
        const environment = environmentOfSandbox(declared, anchors, "0123456789ab");
        const values = sandboxEnvironment.decode({ ...environment, UNRELATED: "x" });
        expect(digestOfSpec(withSortedSecrets(specOfSandbox(values, anchors)))).toBe(
          digestOfSpec(withSortedSecrets(declared.spec)),
        );
      }),
    );
  });
});

/** The environment lists secrets by name. */
function withSortedSecrets<Spec extends { readonly secrets: string[] }>(spec: Spec): Spec {
  return { ...spec, secrets: [...spec.secrets].sort() };
}
