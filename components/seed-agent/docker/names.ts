/** Names of a seed agent's resources in Docker. Changeling names have no underscore, and installation ids no dot. */

export interface Owner {
  readonly installation: string;
  readonly name: string;
}

const prefix = ({ installation, name }: Owner) => `changelings-seed-${installation}-${name}`;

/** The container of a node. */
export function containerName(owner: Owner, index: number): string {
  return `${prefix(owner)}-${index}`;
}

/** The container before an update, until the new one is healthy. */
export function formerName(owner: Owner, index: number): string {
  return `${containerName(owner, index)}-former`;
}

/** A node's data; kept when its container is removed. */
export function dataVolume(owner: Owner, index: number): string {
  return `${containerName(owner, index)}-data`;
}

/** The secrets of all nodes. */
export function secretsVolume(owner: Owner): string {
  return `${prefix(owner)}-secrets`;
}

export function networkName(owner: Owner): string {
  return prefix(owner);
}

export function nodeId({ name }: Owner, index: number): string {
  return `${name}-${index}`;
}

/** In the network, this name has the addresses of all nodes. */
export const clusterName = "nodes.seed-agent.internal";

export const imageRepository = "changelings-seed";

/** Labels of everything that belongs to a seed agent. */
export const labels = {
  installation: "changelings-seed-installation",
  name: "changelings-seed-name",
  /** A container's node, from 0. */
  node: "changelings-seed-node",
  release: "changelings-seed-release",
  /** A hash of all that the container was made with, secrets included. */
  content: "changelings-seed-content",
  /** JSON: names of the variables that a deployment set. */
  variables: "changelings-seed-variables",
} as const;

export function ownerLabels({ installation, name }: Owner): Readonly<Record<string, string>> {
  return { [labels.installation]: installation, [labels.name]: name };
}
