import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  appName,
  environmentName,
  homeVolumeName,
  parseAppName,
  parseHomeVolumeName,
  runsVolumeName,
  sandboxAppName,
  secretName,
  stackPart,
  stackSecretName,
  volumeName,
  webVolumeNames,
} from "../../../components/modal/names.ts";

/** What Pulumi takes as a stack's name, and the fleet as a changeling's. */
const stacks = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_.-]{1,100}$/),
  // What could be mistaken for another's: a runs volume, or a name that was cut.
  fc.stringMatching(/^[ab_]{1,3}(_runs)?(\.[0-9a-f]{10})?$/),
);
const changelings = fc.oneof(fc.stringMatching(/^[a-z][a-z0-9-]{0,39}$/), fc.constantFrom("a", "b", "runs"));

describe("the names of a stack's things on Modal", () => {
  it("are readable for usual stacks", () => {
    expect(appName("dev", "fixme-fairy")).toBe("changeling_dev_fixme-fairy");
    expect(secretName("dev", "fixme-fairy")).toBe("changeling_dev_fixme-fairy");
    expect(stackSecretName("dev")).toBe("changelings_dev");
    expect(homeVolumeName("dev")).toBe("changelings_dev");
    expect(runsVolumeName("dev")).toBe("changelings_dev_runs");
    expect(appName("my_prod.EU", "todo-ledger")).toBe("changeling_my_prod.EU_todo-ledger");
  });

  it("are ones that Modal takes", () => {
    fc.assert(
      fc.property(stacks, changelings, (stack, changeling) => {
        for (const name of [appName(stack, changeling), homeVolumeName(stack), runsVolumeName(stack)]) {
          expect(name).toMatch(/^[A-Za-z0-9_.-]{1,64}$/);
        }
      }),
    );
  });

  it("include one app for coding sandboxes, which is no changeling's", () => {
    expect(sandboxAppName("dev")).toBe("changelings_dev_sandboxes");
    fc.assert(
      fc.property(stacks, stacks, (one, other) => {
        expect(sandboxAppName(one)).toMatch(/^[A-Za-z0-9_.-]{1,64}$/);
        expect(parseAppName(sandboxAppName(one))).toBeUndefined();
        expect(sandboxAppName(one) === sandboxAppName(other)).toBe(one === other);
      }),
    );
  });

  it("keep the name of a volume that is named elsewhere, where Modal takes it", () => {
    const free = fc.oneof(fc.string(), fc.string({ minLength: 60, maxLength: 70, unit: "grapheme-ascii" }));
    fc.assert(
      fc.property(free, free, (one, other) => {
        expect(volumeName(one)).toMatch(/^[A-Za-z0-9_.-]{0,64}$/);
        if (/^[A-Za-z0-9_-]{0,64}$/.test(one)) expect(volumeName(one)).toBe(one);
        expect(volumeName(one) === volumeName(other)).toBe(one === other);
      }),
    );
    expect(volumeName("harvest-memory-acme-site.js")).toBe("harvest-memory-acme-site.js");
  });

  it("are never shared by two things", () => {
    const things = fc.uniqueArray(fc.tuple(stacks, changelings), { selector: (pair) => pair.join("/"), minLength: 2 });
    fc.assert(
      fc.property(things, (pairs) => {
        const apps = new Set(pairs.map(([stack, changeling]) => appName(stack, changeling)));
        expect(apps.size).toBe(pairs.length);
        const own = [...new Set(pairs.map(([stack]) => stack))];
        const volumes = own.flatMap((stack) => [homeVolumeName(stack), runsVolumeName(stack)]);
        const ofWebs = pairs.flatMap((pair) => Object.values(webVolumeNames(...pair)));
        expect(new Set([...volumes, ...ofWebs]).size).toBe(2 * own.length + 2 * pairs.length);
        expect(Math.max(...ofWebs.map((name) => name.length))).toBeLessThanOrEqual(64);
        expect(ofWebs.flatMap((name) => parseHomeVolumeName(name) ?? [])).toEqual([]);
        const secrets = own.map(stackSecretName);
        expect(new Set([...apps, ...secrets]).size).toBe(pairs.length + own.length);
      }),
    );
  });

  it("tell their stack and changeling again", () => {
    fc.assert(
      fc.property(stacks, changelings, (stack, changeling) => {
        const parsed = parseAppName(appName(stack, changeling));
        expect(parsed?.stackPart).toBe(stackPart(stack));
        if (changeling.length <= 28) expect(parsed?.changelingPart).toBe(changeling);
        expect(parseHomeVolumeName(homeVolumeName(stack))).toBe(stackPart(stack));
        expect(parseHomeVolumeName(runsVolumeName(stack))).toBeUndefined();
      }),
    );
  });

  it.each(["main", "changeling_dev", "changelings_dev", "changeling__x", "mngr-modal", "changeling_dev_Upper"])(
    "are not %s",
    (name) => expect(parseAppName(name)).toBeUndefined(),
  );
});

describe("environmentName", () => {
  it("is mngr's own, cut as mngr cuts it", () => {
    expect(environmentName({ prefix: "mngr-", userId: "de53e0d7fb454e4b97369fa5fad6a285" })).toBe(
      "mngr-de53e0d7fb454e4b97369fa5fad6a285",
    );
    expect(environmentName({ prefix: `${"p".repeat(60)}-`, userId: "ab-_x" })).toBe(`${"p".repeat(60)}-ab`);
  });
});
