import type { SeedAgentSpec } from "../spec.ts";

/** Who wrote the fields that this project applies, in `metadata.managedFields`. */
export const fieldManager = "changelings";

const domain = "changelings.dev";
export const labels = {
  name: "app.kubernetes.io/name",
  instance: "app.kubernetes.io/instance",
  managedBy: "app.kubernetes.io/managed-by",
  installation: `${domain}/installation`,
  /** A pod with this label, `"true"`, may read /metrics on the monitoring port, from any namespace. */
  scraper: `${domain}/scrapes-seed-agents`,
} as const;
export const annotations = {
  release: `${domain}/release`,
  /** Changes with the secrets, so that pods restart with new ones. Keyed, so that it reveals nothing. */
  secrets: `${domain}/secrets`,
} as const;

export const cookieName = "RELEASE_COOKIE";
export const namesOf = (name: string) => ({
  statefulSet: name,
  service: name,
  headless: `${name}-headless`,
  /** Spec 003: `seed-agent-cookie`, with the key `cookie`. */
  cookie: `${name}-cookie`,
  secrets: `${name}-secrets`,
  serviceAccount: name,
  volume: "data",
});

/** The labels that all objects of one seed agent have, and no other object. */
export function selectorOf(name: string, installation: string): Record<string, string> {
  return { [labels.name]: "seed-agent", [labels.instance]: name, [labels.installation]: installation };
}

export function selectorText(selector: Readonly<Record<string, string>>): string {
  return Object.entries(selector)
    .map(([label, value]) => `${label}=${value}`)
    .join(",");
}

export function volumeSize({ volumeGb }: SeedAgentSpec): string {
  return `${volumeGb}Gi`;
}

/** @throws Error if the spec is of another provider: a bug */
export function kubernetesOf({ kubernetes, name }: SeedAgentSpec): NonNullable<SeedAgentSpec["kubernetes"]> {
  if (kubernetes === undefined) throw new Error(`the spec of ${name} has no settings for Kubernetes`);
  return kubernetes;
}
