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

/** A node's former container, which an update keeps until the new one is healthy. */
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

/** A name in the network that resolves to the addresses of all nodes. */
export const clusterName = "nodes.seed-agent.internal";

export const imageRepository = "changelings-seed";

/**
 * Every agent tags the same image with its own name, because agents are deployed in parallel and each removes the images
 * that it no longer uses.
 *
 * @param release begins with the version, and so with a digit
 */
export function imageName({ installation, name }: Owner, release: string): string {
  return `${imageRepository}:${installation}-${name}-${release}`;
}

/** Also recognizes the tags of earlier versions of this project, which lacked the agent's name. */
export function isImageOf({ installation, name }: Owner, image: string): boolean {
  return new RegExp(`^${imageRepository}:${installation}-(?:${name}-)?\\d+\\.\\d`).test(image);
}

/** Labels of everything that belongs to a seed agent. */
export const labels = {
  installation: "changelings-seed-installation",
  name: "changelings-seed-name",
  /** A container's node, from 0. */
  node: "changelings-seed-node",
  release: "changelings-seed-release",
  /** A hash of everything that the container was created with, including secrets. */
  content: "changelings-seed-content",
  /** JSON: the names of the variables that the deployment set. */
  variables: "changelings-seed-variables",
} as const;

export function ownerLabels({ installation, name }: Owner): Readonly<Record<string, string>> {
  return { [labels.installation]: installation, [labels.name]: name };
}
