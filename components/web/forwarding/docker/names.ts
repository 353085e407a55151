/** Names of a forwarding server's resources in Docker. */

export function containerName(installation: string): string {
  return `changelings-forwarding-${installation}`;
}

/** The volume with its key, codes, logins and log. */
export function volumeName(installation: string): string {
  return `changelings_${installation}_forwarding`;
}

/** The images of an installation, in all versions. */
export const imageRepository = "changelings-forwarding";

export function imageTagPrefix(installation: string): string {
  return `${installation}-`;
}

/** Mount path of the volume in the container. */
export const stateFolder = "/var/lib/changelings";

/** Path of the program in the image, and of the relay for `docker exec`. */
const programFolder = "/opt/changelings";
export const relayPath = `${programFolder}/relay.mjs`;
/** The relay's exit status if the server does not listen. */
export const relayNotRunning = 3;
