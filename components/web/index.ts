/** Web changelings for other people's Pulumi programs: `import { … } from "changelings/web"`. */

export { type ForwardingServerOptions, forwardingOf } from "../fleet/forwarding-of.ts";
export type { DeclaredWeb, Forwarding } from "../fleet/index.ts";
export { ChangelingOptionsError } from "../fleet/index.ts";
export { type WebChangelingOptions, webOf } from "../fleet/web-of.ts";
export { type ModalStack, type ModalStackOptions, modalStack } from "../modal/modal-stack.ts";
export { type DockerWebs, type DockerWebsOptions, dockerWebs } from "./docker-webs.ts";
export { ForwardingServer, type ForwardingServerArgs } from "./forwarding/forwarding-server.ts";
export { type LocalWeb, type LocalWebs, type LocalWebsOptions, localWebs } from "./local-webs.ts";
export { type Login, loginUrl } from "./login-url.ts";
export { type ModalWebs, type ModalWebsOptions, modalWebs } from "./modal-webs.ts";
export { pageUrl } from "./page-url.ts";
export { WebChangeling, type WebChangelingArgs } from "./web-changeling.ts";
