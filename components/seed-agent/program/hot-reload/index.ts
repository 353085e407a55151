/** Everything that the rest of the service needs of hot reload. */
export { seedTypes, serviceAssets } from "./assets.ts";
export { checks } from "./check.ts";
export { compile } from "./compile.ts";
export { findFence } from "./fence.ts";
export { firstVersion } from "./first-version.ts";
export { versionHosts } from "./host.ts";
