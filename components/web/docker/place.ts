/** What the things of a web agent in Docker are named, and how they are found. */

/** Where mngr keeps what is its own in a container, the agent's environment included. */
export const stateFolder = "/mngr";

/** How mngr's Docker plugin 0.1.0 labels the container of a host. */
export const hostIdLabel = "com.imbue.mngr.host-id";

/** On all that is a machine's own: its name. */
export const hostLabel = "changelings_host";

/** On all that is a changeling's. */
export function labelsOfChangeling(installation: string, changeling: string): Record<string, string> {
  return { changelings_installation: installation, changeling };
}

/** The volumes of a changeling: its repo, and its data. They keep their names when it is renamed. */
export function dockerVolumeNames(
  installation: string,
  changeling: string,
): { readonly repo: string; readonly data: string } {
  const name = `changelings_${installation}_${changeling}`;
  return { repo: `${name}_repo`, data: `${name}_data` };
}

/** The volume that goes with a machine: what mngr keeps there of its agent. @param host the machine's name */
export function stateVolumeName(installation: string, host: string): string {
  return `changelings_${installation}_${host}_state`;
}
