/** How long a machine lives on Modal, and how it is found there. */

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
