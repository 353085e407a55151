/** What stands in Docker for a forwarding server. */

/** Of the container. */
export function containerName(installation: string): string {
  return `changelings-forwarding-${installation}`;
}

/** Of the volume with its key, codes, logins and log. */
export function volumeName(installation: string): string {
  return `changelings_${installation}_forwarding`;
}

/** Of the images of an installation, whatever version they are. */
export const imageRepository = "changelings-forwarding";

export function imageTagPrefix(installation: string): string {
  return `${installation}-`;
}

/** Where the volume is in the container. */
export const stateFolder = "/var/lib/changelings";

/** Where the program is in the image, and what is asked through `docker exec`. */
export const programFolder = "/opt/changelings";
export const relayPath = `${programFolder}/relay.mjs`;
/** The exit status with which it says that the server does not listen. */
export const relayNotRunning = 3;
