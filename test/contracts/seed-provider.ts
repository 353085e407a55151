import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DeployOptions, SeedAgentError, type SeedAgentProvider } from "../../components/seed-agent/provider.ts";
import type { SeedAgentSpec } from "../../components/seed-agent/spec.ts";

/** What the suite needs of a provider's platform: a real one, or fakes of its programs. */
export interface SeedProviderLab {
  readonly provider: SeedAgentProvider;
  /** With two nodes; `DATABASE_URL` is among its secrets. */
  readonly spec: SeedAgentSpec;
  readonly options: Pick<DeployOptions, "installation" | "folder">;
  /** Secret values of a deployment, besides the suite's own. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Ends a node so that only a deployment starts it again. */
  kill(node: string): Promise<void>;
  /** By node, a value that changes if the node is replaced or restarted. */
  identities(): Promise<Readonly<Record<string, string>>>;
  /** The names of the nodes' data that exist, sorted. */
  data(): Promise<readonly string[]>;
  /** Texts that could show a secret to others, by name: arguments, files that others can read, manifests, images. */
  traces(): Promise<Readonly<Record<string, string>>>;
  /** Makes the next start of a node fail; undefined if the lab can't. */
  readonly breakNext?: (() => Promise<void>) | undefined;
  end(): Promise<void>;
}

const release = "1.0.0-aaaaaaaaaaaa";
const next = "1.0.1-bbbbbbbbbbbb";

/**
 * The contract of every provider of seed agents. The tests build on each other.
 *
 * @param open makes the lab
 * @param timeoutMs of each test
 */
export function describeSeedProvider(title: string, open: () => Promise<SeedProviderLab>, timeoutMs = 60_000): void {
  describe(`seed agents: ${title}`, { timeout: timeoutMs }, () => {
    let lab: SeedProviderLab;
    const own = {
      RELEASE_COOKIE: "cookie-0123456789abcdef0123456789abcdef",
      SEED_CONTROL_TOKEN: 'token-"with\\quotes$and`signs-0123456789',
      ANTHROPIC_API_KEY: "key-0123456789",
    };
    const secrets = () => ({ DATABASE_URL: "postgres://seed:passw0rd-01@database/seed", ...own, ...lab.secrets });
    const deploy = (spec: SeedAgentSpec = lab.spec, more: Partial<DeployOptions> = {}) =>
      lab.provider.deploy(spec, { ...lab.options, spec, release, secrets: secrets(), ...more });
    const changed = (): SeedAgentSpec => ({ ...lab.spec, changesPerDay: lab.spec.changesPerDay + 1 });
    const observe = () => lab.provider.observe(lab.spec.name, { ...lab.options, spec: lab.spec });
    const drift = async (spec: SeedAgentSpec = lab.spec, id = release) => lab.provider.drift(spec, id, await observe());
    const remove = (destroyData: boolean) =>
      lab.provider.remove(lab.spec.name, { ...lab.options, spec: lab.spec, destroyData });

    beforeAll(async () => {
      lab = await open();
    }, timeoutMs);
    afterAll(async () => lab?.end(), timeoutMs);

    test("nothing exists before the first deployment, and removing nothing succeeds", async () => {
      expect(await observe()).toBeUndefined();
      expect(await drift()).toBe("it does not exist");
      expect(await remove(false)).toEqual([]);
    });

    test("deploys every node, and waits until it is healthy", async () => {
      expect((await deploy()).nodes).toBe(lab.spec.replicas);
      const observed = await observe();
      expect(observed?.release).toBe(release);
      expect(observed?.nodes.map(({ healthy }) => healthy)).toEqual(Array(lab.spec.replicas).fill(true));
      expect(await drift()).toBeUndefined();
    });

    test("changes nothing the second time", async () => {
      const before = await lab.identities();
      await deploy();
      expect(await lab.identities()).toEqual(before);
    });

    test("reports drift", async () => {
      expect(await drift(lab.spec, next)).toContain(next);
      expect(await drift(changed())).toContain("SEED_CHANGES_PER_DAY");
      expect(await drift({ ...lab.spec, replicas: lab.spec.replicas + 1 })).toMatch(/nodes?/);
    });

    test("repairs a node that died, and leaves the others alone", async () => {
      const before = await lab.identities();
      const [victim = "", ...others] = Object.keys(before).sort();
      await lab.kill(victim);
      expect(await drift()).toContain(victim);
      await deploy();
      expect(await drift()).toBeUndefined();
      const after = await lab.identities();
      expect(after[victim]).not.toBe(before[victim]);
      for (const other of others) expect(after[other], other).toBe(before[other]);
    });

    test("rolls out a new release, and new settings", async () => {
      await deploy(lab.spec, { release: next });
      expect(await drift(lab.spec, next)).toBeUndefined();
      const other = changed();
      await deploy(other);
      expect(await drift(other)).toBeUndefined();
      await deploy();
      expect(await drift()).toBeUndefined();
    });

    test("rolls out a new secret, and never shows one", async () => {
      const before = await lab.identities();
      const rotated = { ...secrets(), ANTHROPIC_API_KEY: "key-rotated-9876543210" };
      await deploy(lab.spec, { secrets: rotated });
      const after = await lab.identities();
      for (const node of Object.keys(before)) expect(after[node], node).not.toBe(before[node]);
      const values = [...Object.values(secrets()), ...Object.values(rotated)];
      const logs = await lab.provider.logs(lab.spec.name, { ...lab.options, lines: 100, spec: lab.spec });
      const traces = { ...(await lab.traces()), logs, observed: JSON.stringify(await observe()) };
      for (const [where, text] of Object.entries(traces)) {
        for (const value of values) expect(text.includes(value), `${value} in ${where}`).toBe(false);
        for (const value of values) {
          const encoded = Buffer.from(value).toString("base64");
          expect(text.includes(encoded), `${value} in base64 in ${where}`).toBe(false);
        }
      }
      await deploy();
    });

    test("scales down, keeps the data of removed nodes, and scales up again", async () => {
      const data = await lab.data();
      const one: SeedAgentSpec = { ...lab.spec, replicas: 1 };
      await deploy(one);
      expect((await observe())?.nodes).toHaveLength(1);
      expect(await drift(one)).toBeUndefined();
      expect(await lab.data()).toEqual(data);
      await deploy();
      expect((await observe())?.nodes).toHaveLength(lab.spec.replicas);
      expect(await lab.data()).toEqual(data);
    });

    test("a node that does not become healthy fails the deployment, and the others keep running", async ({ skip }) => {
      if (lab.breakNext === undefined) return skip("this lab can't break a node");
      const before = await lab.identities();
      await lab.breakNext();
      await expect(deploy(lab.spec, { release: next })).rejects.toThrow(SeedAgentError);
      expect(Object.keys(await lab.identities())).toEqual(Object.keys(before));
      await deploy();
      expect(await drift()).toBeUndefined();
    });

    test("shows the log's tail of all nodes", async () => {
      const text = await lab.provider.logs(lab.spec.name, { ...lab.options, lines: 5, spec: lab.spec });
      expect(text.length).toBeGreaterThan(0);
    });

    test("keeps the data when it is removed, reuses it, and destroys it on request", async () => {
      const data = await lab.data();
      const kept = await remove(false);
      expect(await observe()).toBeUndefined();
      expect(kept.length).toBeGreaterThan(0);
      expect(await lab.data()).toEqual(data);
      expect(await remove(false)).toEqual(kept);
      await deploy();
      expect(await lab.data()).toEqual(data);
      expect(await remove(true)).toEqual([]);
      expect(await lab.data()).toEqual([]);
      expect(await observe()).toBeUndefined();
      expect(await remove(true)).toEqual([]);
    });
  });
}
