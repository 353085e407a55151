/** Where things stand in the machine of a web agent on Modal, and how long one lives. */

/** The volume with its data: CHANGELING_DATA. */
export const dataFolder = "/changeling-data";

/**
 * The volume with its repo, which is its work dir. A volume of its own, so that its commits outlive every machine: mngr
 * deletes the folder in which it puts repos by default with the host, and forgets hosts that ended by accident a week ago.
 */
export const repoFolder = "/changeling-repo";

/**
 * Modal ends a sandbox after 24 h. Some minutes before, mngr's own watcher in it snapshots and ends it; the rest of the
 * day is what mngr adds (`shutdownBufferSeconds`).
 */
export const lifeSeconds = 86_000;
export const shutdownBufferSeconds = 300;

/** How mngr 0.3.0 tags the sandbox of a host: with its id and name, and with each label of the host. */
export const hostIdTag = "mngr_host_id";
export const hostNameTag = "mngr_host_name";
export const labelTag = (label: string) => `mngr_user_${label}`;
