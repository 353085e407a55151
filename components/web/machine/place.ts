/** Where things stand in the machine of a web agent. */

/** The volume with its data: CHANGELING_DATA. */
export const dataFolder = "/changeling-data";

/**
 * The volume with its repo, which is its work dir. A volume of its own, so that its commits outlive every machine: mngr
 * deletes the folder in which it puts repos by default with the host, and forgets hosts that ended by accident.
 */
export const repoFolder = "/changeling-repo";
