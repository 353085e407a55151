import { join } from "node:path";

/** Where the forwarding server of this folder listens for whoever owns the folder. */
export function adminSocketPath(folder: string): string {
  return join(folder, "admin.sock");
}

/** Whether an error of a connection says that nobody listens there. */
export function isAbsent(error: Error): boolean {
  return "code" in error && (error.code === "ENOENT" || error.code === "ECONNREFUSED");
}
