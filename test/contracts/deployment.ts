import { hostname } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import { vi } from "vitest";
import type { ResolvedChangeling } from "../../components/fleet/kind.ts";
import type { Deployment, Stack } from "../../components/stack/deployment.ts";

export interface DeploymentLab<Resolved extends ResolvedChangeling> {
  readonly deployment: Deployment<Resolved>;
  readonly settings: object;
  /** Changelings with a secret each, and names that no other call returned. */
  fleet(count: number, more?: { readonly enabled: boolean }): Promise<readonly Resolved[]>;
  /** How many programs have been started so far. */
  processes(): number;
  /** The home folder of the person. */
  readonly home: string;
}

/** The value of every secret. */
const secretValue = "s3cret-0123456789";
const secretMark = "4dabf18193072939515e22adb298388d";
const mostChildren = 3;

const registered: { readonly name: string; readonly inputs: unknown }[] = [];

/** Replaces the engine with mocks. */
export async function mockEngine(): Promise<void> {
  const mocks: pulumi.runtime.Mocks = {
    newResource({ name, inputs }) {
      registered.push({ name, inputs });
      return { id: `${name}-id`, state: { ...inputs, stdout: "" } };
    },
    call: () => ({ outputs: {} }),
  };
  await pulumi.runtime.setMocks(mocks, "changelings", "dev", false, "organization");
}

interface Deployed {
  readonly names: readonly string[];
  readonly resources: readonly { readonly name: string; readonly inputs: unknown }[];
  readonly outputs: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly processes: number;
}

async function deployed<Resolved extends ResolvedChangeling>(
  { deployment, settings, processes }: DeploymentLab<Resolved>,
  changelings: readonly Resolved[],
): Promise<Deployed> {
  const stack: Stack = {
    mngrProfile: undefined,
    modal: undefined,
    secretsOf: () => ({ KEY: pulumi.secret(secretValue) }),
  };
  const [before, first] = [processes(), registered.length];
  const declare = await deployment.observe(changelings, stack, settings);
  const started = processes() - before;
  const outputs = await plain(declare());
  // Outputs may settle before the last resource is registered.
  for (let count = -1; count !== registered.length; ) {
    count = registered.length;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const resources = registered.slice(first);
  return { names: changelings.map(({ name }) => name), resources, outputs, processes: started };
}

function plain<Value>(value: Value): Promise<pulumi.Unwrap<Value>> {
  return new Promise((resolve) => pulumi.output(value).apply((each) => resolve(each)));
}

/** The rules for deployments that a kind breaks. */
export async function brokenRules<Resolved extends ResolvedChangeling>(
  lab: DeploymentLab<Resolved>,
): Promise<string[]> {
  const broken = new Set<string>();
  const one = await deployed(lab, await lab.fleet(1));
  const many = await deployed(lab, await lab.fleet(5));
  if (many.processes !== one.processes)
    broken.add(`observing 1 changeling starts ${one.processes} processes, observing 5 starts ${many.processes}`);

  for (const { names, outputs, resources } of [one, many]) {
    if (Object.keys(outputs).sort().join() !== [...names].sort().join()) broken.add("not every changeling has outputs");
    for (const name of names) {
      const missing = ["kind", "provider", "enabled"].filter((key) => outputs[name]?.[key] === undefined);
      if (missing.length > 0) broken.add(`outputs lack ${missing.join(", ")}`);
      const children = resources.filter((each) => each.name.startsWith(`${name}-`));
      if (children.length === 0) broken.add("no resource has the changeling's name");
      if (children.length > mostChildren) broken.add(`a changeling has ${children.length} children`);
    }
    const shared = resources.filter(({ name }) => !names.some((each) => name === each || name.startsWith(`${each}-`)));
    if (shared.some(({ name }) => /\d{4}-\d\d|[0-9a-f]{8}-[0-9a-f]{4}-/.test(name))) broken.add("a name is not stable");
    if (shared.length > mostChildren) broken.add(`${shared.length} resources belong to no changeling`);
    for (const { inputs } of resources) {
      const text = JSON.stringify(inputs);
      if (text.includes(lab.home)) broken.add("an input contains an absolute path");
      if (text.includes(hostname())) broken.add("an input contains the name of this machine");
      if (/\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text)) broken.add("an input contains a time");
      if (revealed(inputs)) broken.add("a secret is not marked as one");
    }
  }

  // The same fleet tomorrow.
  const fleet = await lab.fleet(1);
  const today = await deployed(lab, fleet);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 86_400_000 });
  const tomorrow = await deployed(lab, fleet);
  vi.useRealTimers();
  if (JSON.stringify(today.outputs) !== JSON.stringify(tomorrow.outputs)) broken.add("outputs change with the clock");
  if (JSON.stringify(sorted(today)) !== JSON.stringify(sorted(tomorrow))) broken.add("resources change with the clock");

  const off = await deployed(lab, await lab.fleet(1, { enabled: false }));
  // Shared resources may be removed with the last changeling that needs them.
  const suffixes = ({ names: [own = ""], resources }: Deployed) =>
    resources.flatMap(({ name }) => (name.startsWith(own) ? [name.slice(own.length)] : [])).sort();
  if (suffixes(off).join() !== suffixes(one).join()) broken.add("a changeling that is not enabled has other resources");
  if (Object.values(off.outputs).some(({ enabled }) => enabled !== false))
    broken.add("outputs of a changeling that is not enabled say otherwise");
  return [...broken].sort();
}

function sorted({ resources }: Deployed) {
  return [...resources].sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** Whether a value contains the secret outside of what is marked as secret. */
function revealed(value: unknown): boolean {
  if (typeof value === "string") return value.includes(secretValue);
  if (typeof value !== "object" || value === null || secretMark in value) return false;
  return Object.values(value).some(revealed);
}
