/** The parts of hot reload that the rest of the service uses. */
export { seedTypes } from "./assets.ts";
export { checks } from "./check.ts";
export { findFence } from "./fence.ts";
export { firstVersion } from "./first-version.ts";
export { versionHosts } from "./host.ts";
