/** Names and labels of a web agent's resources in Docker. */

/** Where mngr keeps its own files in a container, including the agent's environment. */
export const stateFolder = "/mngr";

/** The label that mngr's Docker plugin 0.1.0 sets on the container of a host. */
export const hostIdLabel = "com.imbue.mngr.host-id";

/** On every resource of a machine: the machine's name. */
export const hostLabel = "changelings_host";

/** On every resource of a changeling. */
export function labelsOfChangeling(installation: string, changeling: string): Record<string, string> {
  return { changelings_installation: installation, changeling };
}

/** The repo and data volumes of a changeling. They keep their names when it is renamed. */
export function dockerVolumeNames(
  installation: string,
  changeling: string,
): { readonly repo: string; readonly data: string } {
  const name = `changelings_${installation}_${changeling}`;
  return { repo: `${name}_repo`, data: `${name}_data` };
}

/**
 * The volume of a machine for mngr's files about its agent.
 * @param host the machine's name
 */
export function stateVolumeName(installation: string, host: string): string {
  return `changelings_${installation}_${host}_state`;
}
