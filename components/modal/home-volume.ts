import { homeVolumeName } from "./names.ts";
import type { Modal } from "./types.ts";

/** Where a stack's home volume is. */
export interface HomeVolume {
  readonly client: Modal;
  readonly stack: string;
  readonly environment: string;
}

/** The folder with the public keys of the user's machines. */
export const keysFolder = "keys";

/** Writes files to a stack's home volume, in one request. @param files texts by path */
export async function writeHomeFiles(home: HomeVolume, files: Readonly<Record<string, string>>): Promise<void> {
  if (Object.keys(files).length === 0) return;
  await home.client.writeFiles(homeVolumeName(home.stack), home.environment, files);
}
